"""The product's texts in each language, with numbers and dates in its format.

The catalogue is the JSON files of the web page: `words.*`, `report.*` for the report alone, `alerts.*` for alerts. The
page reads them with i18n.js. A gap in a text is `{name}`, or `{name:format}` with one of FORMATS. The command line is
English and has its texts in its code.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, Literal, get_args

from zenith_core.names import PAGE_FILES

Language = Literal["en", "pt"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_LEAST_P = 0.001
_GAP = re.compile(r"\{(\w+)(?::(\w+))?\}")
_MONTHS = ("jan.", "fev.", "mar.", "abr.", "mai.", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez.")


def counted(number: int, noun: str) -> str:
    """Return an English count: 1 ticker, 2 tickers. Only for nouns whose plural is formed with an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@cache
def texts(language: Language) -> dict[str, str]:
    """Return every text of a language by its key."""
    files = sorted(PAGE_FILES.glob(f"*.{language}.json"))
    return {key: text for file in files for key, text in json.loads(file.read_text(encoding="utf-8")).items()}


@dataclass(frozen=True)
class Text:
    """A key of the catalogue with the values of its gaps, which may be texts themselves, or tuples of them."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def spoken(self, language: Language = "en") -> str:
        """Return the text in a language."""
        return word(language, self.key, **self.values)


def word(language: Language, key: str, **values: Any) -> str:
    """Return the text of `key` with its gaps filled. With a number `n` it is the form for that number.

    A key without a text is returned as it is, for kinds of model of packages.
    """
    words = texts(language)
    form = f"{key}.{'one' if values.get('n') == 1 else 'other'}" if "n" in values else key
    text = words.get(form, words.get(key, key))
    return _GAP.sub(lambda gap: _filled(language, values.get(gap[1], ""), gap[2]), text)


def _filled(language: Language, value: Any, style: str | None) -> str:
    if style == "p":
        return p_clause(language, value)
    if value is None:
        return "–"
    if isinstance(value, Text):
        return value.spoken(language)
    if isinstance(value, tuple):
        return ", ".join(_filled(language, one, style) for one in value)
    if isinstance(value, int) and style is None and not isinstance(value, bool):
        return number(language, value)
    return FORMATS[style](language, value) if style else str(value)


def number(language: Language, value: float, digits: int = 0) -> str:
    """Return a number with the separators of the language: 1,234.5 or 1.234,5."""
    text = f"{value:,.{digits}f}"
    return text if language == "en" else text.translate(str.maketrans(",.", ".,"))


def p_value(language: Language, value: float) -> str:
    """Return a p-value with three decimals, or that it is smaller: a p-value is never 0."""
    return f"< {number(language, _LEAST_P, 3)}" if value < _LEAST_P else number(language, value, 3)


def p_clause(language: Language, value: float | None) -> str:
    """Return `p = 0.012`, `p < 0.001`, or that there is no test."""
    if value is None:
        return word(language, "gate.says.loss.untested")
    return f"p {'' if value < _LEAST_P else '= '}{p_value(language, value)}"


def day(language: Language, iso: str) -> str:
    """Return an ISO date in the form of the page: Nov 3, 2026 or 3 de nov. de 2026."""
    when = date.fromisoformat(iso[:10])
    if language == "en":
        return f"{when:%b} {when.day}, {when.year}"
    return f"{when.day} de {_MONTHS[when.month - 1]} de {when.year}"


FORMATS: dict[str, Callable[[Language, Any], str]] = {
    "day": day,
    "p": p_clause,
    "percent": lambda language, value: f"{number(language, 100 * value)}%",
    "percent1": lambda language, value: f"{number(language, 100 * value, 1)}%",
    "change1": lambda language, value: f"{'+' if value > 0 else ''}{number(language, 100 * value, 1)}%",
    "digits1": lambda language, value: number(language, value, 1),
    "digits3": lambda language, value: number(language, value, 3),
    "digits4": lambda language, value: number(language, value, 4),
}
"""The formats of gaps by name; i18n.js of the page has the same."""
