"""Numbers as text: the decimal mark of a whole file, and the values that follow from it.

Values that only one mark fits decide: 12.5 and 1,234.5 have a point, 1.234.567 has a comma. 1.234 fits both.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zenith_core.arrays import Floats

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "-", "–", "—")
CURRENCY_SIGNS = ("R$", "US$", "$", "€", "£", "¥", "₹", "zł", "kr", "CHF", "USD", "EUR", "GBP", "BRL")
_FEWEST_SIGNS = 0.02  # share of values that only one mark fits; fewer could be typing errors

_SIGN = "|".join(re.escape(sign) for sign in CURRENCY_SIGNS)
_MULTIPLES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_INFINITE = r"|[+-]?(?i:inf|infinity)"


@dataclass(frozen=True)
class _Patterns:
    """Regular expressions of numbers with one decimal mark: valid, fitting no other mark, and fitting both."""

    valid: str
    decisive: str
    either: str


def _patterns(decimal: str, thousands: str) -> _Patterns:
    point, comma = re.escape(decimal), re.escape(thousands)
    groups = rf"\d{{1,3}}(?:{comma}\d{{2,3}})*{comma}\d{{3}}"  # India writes 12,34,567
    either = rf"[+-]?[1-9]\d{{0,2}}{point}\d{{3}}"
    return _Patterns(
        valid=rf"^(?:[+-]?(?:\d+|{groups})(?:{point}\d*)?(?:[eE][+-]?\d+)?|[+-]?{point}\d+{_INFINITE})$",
        decisive=rf"^[+-]?(?:\d*{point}\d+(?:[eE][+-]?\d+)?|{groups}{point}\d+|\d{{1,3}}(?:{comma}\d{{2,3}})+{comma}\d{{3}})$",
        either=rf"^{either}$",
    )


_BY_MARK = {".": _patterns(".", ","), ",": _patterns(",", ".")}
OTHER = {".": ",", ",": "."}


class UnclearMark(Exception):
    """The decimal mark does not follow from the file; the message says why."""


class NotANumber(Exception):
    """A text that is no number: column and text."""

    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column, self.text = column, text


@dataclass(frozen=True)
class NumberTexts:
    """A column of numbers as text, without currency and blanks.

    texts:    null where there is none
    multiple: 1e6 where the text was 2.61M; None if there are no multiples
    numbers:  the numbers, if all are digits with a decimal point at most
    currencies: their signs
    """

    texts: pa.ChunkedArray
    original: pa.ChunkedArray
    multiple: pa.ChunkedArray | None = None
    numbers: pa.ChunkedArray | None = None
    currencies: frozenset[str] = frozenset()


def number_texts(column: pa.ChunkedArray) -> NumberTexts:
    """Strip a column of blanks, currency and multiples."""
    texts = pc.utf8_trim_whitespace(column)
    texts = pc.if_else(pc.is_in(texts, pa.array(MISSING)), pa.scalar(None, pa.string()), texts)
    original = texts
    if (numbers := _plain_numbers(texts)) is not None:
        return NumberTexts(texts, original, numbers=numbers)
    signs = _currencies(texts)
    if signs:
        texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, rf"^([+-]?)(?:{_SIGN})\s*", r"\1"))
        texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, rf"(?:{_SIGN})$", ""))
    texts = _without_blanks(texts)
    ending = pc.utf8_upper(pc.struct_field(pc.extract_regex(texts, r"\d(?P<e>[KkMmBbTt])$"), "e"))
    if ending.null_count == len(ending):
        return NumberTexts(texts, original, currencies=signs)
    numbers = pa.array(list(_MULTIPLES.values()))
    multiple = pc.fill_null(pc.take(numbers, pc.index_in(ending, pa.array(list(_MULTIPLES)))), 1.0)
    texts = pc.replace_substring_regex(texts, r"[KkMmBbTt]$", "")
    return NumberTexts(texts, original, multiple, currencies=signs)


@dataclass(frozen=True)
class MarkEvidence:
    """The way in which numbers are written.

    decisive, either: how many fit this mark alone, and how many fit both, by mark
    thousands:        a whole number in a column with numbers that fit both, by mark
    example:          a number that fits both
    """

    decisive: Mapping[str, int]
    either: Mapping[str, int]
    thousands: Mapping[str, str]
    example: str

    @classmethod
    def of_parts(cls, parts: Iterable[Mapping[str, NumberTexts]]) -> "MarkEvidence":
        """Return the evidence of all parts of a file, each a mapping of its columns."""
        decisive, either = Counter(dict.fromkeys(_BY_MARK, 0)), Counter(dict.fromkeys(_BY_MARK, 0))
        whole: dict[str, str] = {}
        ambiguous: dict[str, set[str]] = {mark: set() for mark in _BY_MARK}
        example = ""
        for columns in parts:
            for name, column in columns.items():
                for mark in _BY_MARK:
                    alone, both = _counts(column.texts, mark)
                    decisive[mark] += alone
                    either[mark] += both
                    if both:
                        ambiguous[mark].add(name)
                whole.setdefault(name, _first(column, r"^[1-9]\d\d$"))
            example = example or _example(columns)
        thousands = {
            mark: next(filter(None, (whole[name] for name in whole if name in names)), "")
            for mark, names in ambiguous.items()
        }
        return cls(decisive, either, thousands, example)

    def decide(self, usual: str | None) -> str:
        """Return the decimal mark: the one that fits, else the usual one. Raises UnclearMark."""
        if self.decisive["."] and self.decisive[","]:
            raise UnclearMark("some numbers have a decimal point, others a decimal comma")
        mark = next((mark for mark, count in self.decisive.items() if count), None)
        if mark is None:
            return self._usual_mark(usual)
        either = sum(self.either.values())
        if either and usual != mark and self.decisive[mark] < max(2, _FEWEST_SIGNS * either):
            raise UnclearMark(f"nearly all numbers look like {self.example}, which may be thousands or decimals")
        return mark

    def _usual_mark(self, usual: str | None) -> str:
        """Return the usual mark if no number tells: whole numbers, or all with three digits after the mark."""
        for mark in [usual] if usual else _BY_MARK:
            if whole := self.thousands[mark]:
                raise UnclearMark(f"{whole} beside {self.example} looks like thousands, not like decimals")
        if usual is None and any(self.either.values()):
            raise UnclearMark(f"numbers such as {self.example} may be thousands or decimals")
        return usual or "."


def decide_mark(columns: Mapping[str, NumberTexts], usual: str | None) -> str:
    """Return the decimal mark of a file: the one that fits it, else the usual one. Raises UnclearMark."""
    return "." if _is_clearly_plain(columns.values()) else MarkEvidence.of_parts([columns]).decide(usual)


def parse_numbers(name: str, column: NumberTexts, mark: str) -> Floats:
    """Return the numbers of a column, (n,), NaN where there is no text. Raises NotANumber."""
    if column.numbers is not None and mark == ".":
        return _floats(column.numbers)
    wrong = pc.invert(pc.match_substring_regex(column.texts, _BY_MARK[mark].valid))
    if _any(wrong):
        raise NotANumber(name, pc.filter(column.original, pc.fill_null(wrong, False))[0].as_py())
    texts = pc.replace_substring(column.texts, OTHER[mark], "")
    texts = pc.replace_substring(texts, ",", ".") if mark == "," else texts
    numbers = pc.cast(pc.replace_substring_regex(texts, r"\.$", ""), pa.float64())
    return _floats(numbers if column.multiple is None else pc.round(pc.multiply(numbers, column.multiple), 3))


def _floats(numbers: pa.ChunkedArray) -> Floats:
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype="float64")


def _plain_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    try:
        return pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return None


def _is_clearly_plain(columns: Collection[NumberTexts]) -> bool:
    """Return True if all numbers are plain, and one column shows enough decimals; nearly every file is so."""
    if any(column.numbers is None for column in columns):
        return False
    for column in columns:
        decimals = pc.sum(pc.match_substring_regex(column.texts, r"\.(?:\d{1,2}|\d{4,})$")).as_py() or 0
        if decimals >= max(2, _FEWEST_SIGNS * len(column.texts) * len(columns)):
            return True
    return False


def _currencies(texts: pa.ChunkedArray) -> frozenset[str]:
    matches = pc.extract_regex(texts, rf"(?P<a>{_SIGN})")
    return frozenset(filter(None, pc.unique(pc.struct_field(matches, "a")).to_pylist()))


def _without_blanks(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Remove blanks and apostrophes between thousands: 1 234,50 and 1'234.50."""
    for _ in range(6):  # groups of a number below 1e18
        if not _any(pc.match_substring_regex(texts, r"\d[\s\x{a0}\x{202f}'’]\d{3}")):
            break
        texts = pc.replace_substring_regex(texts, r"(\d)[\s\x{a0}\x{202f}'’](\d{3})", r"\1\2")
    return texts


def _counts(texts: pa.ChunkedArray, mark: str) -> tuple[int, int]:
    """Return how many numbers fit this mark alone, and how many fit both."""
    if not _any(pc.match_substring(texts, ".")) and not _any(pc.match_substring(texts, ",")):
        return 0, 0
    patterns = _BY_MARK[mark]
    either = pc.sum(pc.match_substring_regex(texts, patterns.either)).as_py() or 0
    decisive = pc.sum(pc.match_substring_regex(texts, patterns.decisive)).as_py() or 0
    return decisive - either, either  # numbers that fit both marks fit the pattern of each


def _example(columns: Mapping[str, NumberTexts]) -> str:
    texts = (_first(column, patterns.either) for column in columns.values() for patterns in _BY_MARK.values())
    return next(filter(None, texts), "")


def _first(column: NumberTexts, pattern: str) -> str:
    """Return the first text that fits a pattern, as it was written; "" if there is none."""
    matches = pc.fill_null(pc.match_substring_regex(column.texts, pattern), False)
    return str(pc.filter(column.original, matches)[0].as_py()) if _any(matches) else ""


def _any(mask: pa.ChunkedArray) -> bool:
    return bool(pc.any(mask).as_py())
