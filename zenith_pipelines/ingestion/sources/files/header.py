"""Find the header of a file and recognise its form."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zenith_core.errors import InvalidPrices
from zenith_pipelines.ingestion.sources.files.content import SEPARATORS, first_lines, split_line
from zenith_pipelines.ingestion.sources.files.forms import (
    METATRADER4,
    METATRADER4_COLUMNS,
    PLAIN,
    TICKER,
    UNUSED,
    YFINANCE,
    Form,
    is_metatrader4,
    missing_columns,
    normalized,
    plain_meanings,
    vendor_form,
)
from zenith_pipelines.ingestion.sources.files.hints import FILE_NAME, Hint

_LINES = 12  # in which the header must be
_YFINANCE_ROWS = ("Ticker", "Date", "Datetime")  # first cells of the rows below and above its header


@dataclass(frozen=True)
class Header:
    """The header of a file.

    names, meanings: of each column
    lines:     of the file until the first row: the header and the lines before it
    separator: of columns in a text file
    """

    form: Form
    names: Sequence[str]
    meanings: Sequence[str]
    lines: int
    separator: str = ","

    @property
    def has_tickers(self) -> bool:
        """Return True if a column names the ticker of each row."""
        return TICKER in self.meanings and "close" in self.meanings


def text_header(path: Path, text: str, hint: Hint) -> Header:
    """Recognise the header in the first lines of a text: below blank lines, an address, `sep=;` or a title.

    Raises InvalidPrices as `row_header` does.
    """
    lines = first_lines(text, _LINES)
    separator, start = hint.separator, 0
    while start < len(lines) and (not lines[start].strip() or (mark := _separator_line(lines[start]))):
        separator = separator or (mark if lines[start].strip() else None)
        start += 1
    rest = lines[start:]
    if rest and hint.columns is None and is_metatrader4(rest[0]):
        names = [name or "time" for name in METATRADER4_COLUMNS]
        return Header(hint.apply(METATRADER4), names, METATRADER4_COLUMNS, start, separator or _separator(rest[0]))
    header = row_header(path, [split_line(line, separator or _separator(line)) for line in rest], hint)
    line = rest[max(header.lines - 1, 0)] if rest else ""
    separator = separator or _separator(line)
    return replace(header, separator=separator, lines=start + header.lines)


def row_header(path: Path, rows: Sequence[Sequence[str]], hint: Hint) -> Header:
    """Recognise the header among the first rows of cells; if none is complete, return the first row.

    Raises InvalidPrices for a header with a meaning twice, and for columns of several tickers.
    """
    if hint.positions:
        return Header(hint.apply(PLAIN), hint.positions, hint.positions, 0)
    first = None
    for at, names in enumerate(rows[:_LINES]):
        if not any(names):
            continue
        header = _recognised(names, at + 1, hint)
        if header.form.name == YFINANCE.name:
            below = [row for row in rows[at + 1 : at + 3] if row and row[0].strip() in _YFINANCE_ROWS]
            for row in (*rows[:at], *below):
                if row and row[0].strip() == "Ticker":
                    require_one_ticker(path, [name.strip() for name in row[1:]])
            header = replace(header, lines=header.lines + len(below))
        _require_one_meaning(path, header)
        if not missing_columns(header.meanings, header.form):
            return header
        first = first or header
    if first and (absent := [name for name in hint.names if normalized(name) not in map(normalized, first.names)]):
        listing = ", ".join(first.names)
        raise InvalidPrices(f"{path} has no column {absent[0]}, which {FILE_NAME} names; it has {listing}")
    return first or Header(PLAIN, [], [], 0)


def require_one_ticker(path: Path, tickers: Sequence[str]) -> None:
    """Raise InvalidPrices for a block of columns per ticker: choosing one would be a guess."""
    names = sorted(set(filter(None, tickers)))
    if len(names) > 1:
        raise InvalidPrices(
            f"{path} has columns of several tickers, {', '.join(names[:5])}; "
            "expected one file per ticker, or one row per date and ticker with a column ticker"
        )


def _recognised(names: Sequence[str], lines: int, hint: Hint) -> Header:
    if hint.names:
        meanings = plain_meanings(names)
        words = {normalized(name): meaning for name, meaning in hint.names.items()}
        meanings = [UNUSED if meaning in words.values() else meaning for meaning in meanings]
        meanings = [words.get(normalized(name), meaning) for name, meaning in zip(names, meanings, strict=True)]
        return Header(hint.apply(PLAIN), names, meanings, lines)
    if names[0].strip() == "Price" and (download := YFINANCE.meanings(names)):
        return Header(hint.apply(YFINANCE), names, download, lines)
    if vendor := vendor_form(names):
        return Header(hint.apply(vendor[0]), names, vendor[1], lines)
    return Header(hint.apply(PLAIN), names, plain_meanings(names), lines)


def _require_one_meaning(path: Path, header: Header) -> None:
    words = [word for word in header.meanings if word]
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise InvalidPrices(f"{path} has two columns for {twice}: {', '.join(header.names)}")


def _separator_line(line: str) -> str | None:
    """Return the separator that Excel's first line `sep=;` names."""
    text = line.strip().strip('"')
    return text[4] if len(text) == 5 and text.lower().startswith("sep=") else None


def _separator(line: str) -> str:
    return max(SEPARATORS, key=line.count)
