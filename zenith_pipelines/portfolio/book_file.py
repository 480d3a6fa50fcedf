"""A book as a CSV file: a line for each position, with its ticker and its quantity or value."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.tickers import validate_ticker
from zenith_core.portfolio.book_forecast import MAX_AMOUNT, MAX_POSITIONS, Book

CASH = "CASH"
AMOUNTS = ("quantity", "value")
_FORM = "expected a header `ticker,quantity` or `ticker,value` and a line for each position"
_MAX_BYTES = 1_000_000


def read_book(path: Path, name_of: Callable[[str], str] = str) -> Book:
    """Read a book. Raises UserError, in one line that names the line of the file.

    name_of: returns the name that a ticker has now
    """
    try:
        return _parse(path, csv.DictReader(_text(path).splitlines()), name_of)
    except csv.Error as error:
        raise UserError(f"{path} is not CSV ({error}): {_FORM}") from None


def _parse(path: Path, reader: "csv.DictReader[str]", name_of: Callable[[str], str]) -> Book:
    header = [name.strip().lower() for name in reader.fieldnames or []]
    columns = [name for name in AMOUNTS if name in header]
    if "ticker" not in header or len(columns) != 1 or len(set(header)) < len(header):
        raise UserError(f"{path}: {_FORM}, not {', '.join(header)[:60] or 'an empty file'}")
    reader.fieldnames = header
    lines: dict[str, int] = {}
    amounts: dict[str, float] = {}
    for row in reader:
        place = f"{path}, line {reader.line_num}"
        ticker = name_of(_ticker(row["ticker"], place))
        if ticker in lines:
            raise UserError(f"{place}: {ticker} is on line {lines[ticker]} already; add the two up")
        lines[ticker] = reader.line_num
        amounts[ticker] = _amount(row[columns[0]], columns[0], ticker, place)
    cash = amounts.pop(CASH, 0.0)
    if not amounts:
        raise UserError(f"{path} has no position: {_FORM}")
    if len(amounts) > MAX_POSITIONS:
        raise UserError(f"{path} has {len(amounts):,} positions; at most {MAX_POSITIONS:,} are computed together")
    return Book(amounts, columns[0] == "value", cash)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path} is larger than {_MAX_BYTES:,} bytes: {_FORM}")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8: {_FORM}") from None


def _ticker(text: str | None, place: str) -> str:
    try:
        return validate_ticker((text or "").strip())
    except InvalidTicker as error:
        raise UserError(f"{place}: {error}") from None


def _amount(text: str | None, column: str, ticker: str, place: str) -> float:
    content = (text or "").strip()
    try:
        amount = float(content)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or abs(amount) > MAX_AMOUNT:
        raise UserError(f"{place}: the {column} of {ticker} is {content[:20] or 'missing'!r}, not a number")
    return amount
