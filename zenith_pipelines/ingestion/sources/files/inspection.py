"""How price files would be read, without storing anything."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from zenith_core.errors import UserError, ZenithError
from zenith_core.market.exchanges import exchange_of
from zenith_core.prices.cleaning import CleaningResult, clean_prices
from zenith_core.prices.quality_checks import (
    MAX_QUARANTINED,
    quarantine_reasons,
    reasons_in_words,
    too_many_quarantined,
)
from zenith_pipelines.ingestion.sources.base import REQUIRED
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile, price_paths

_ANY_STOCK = "AAPL"  # a calendar and a time zone for files whose name is no ticker
_ACTION_WORDS = ("split", "dividend", "adjusted close")


@dataclass(frozen=True)
class FileReading:
    """The reading of one ticker in one file.

    first, last: the earliest and the latest row: date, open, high, low, close, volume
    splits, dividends: their number, and remarks on them
    doubts:  remarks on rows that are impossible, missing or unlikely, and on the file's name
    problem: the reason why it would be refused, None if it would be read
    """

    file: str
    ticker: str | None
    form: str | None = None
    rows: int = 0
    first: dict[str, Any] | None = None
    last: dict[str, Any] | None = None
    sessions: int = 0
    splits: int = 0
    dividends: int = 0
    remarks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        """Return the reading as JSON."""
        return asdict(self)


def read_files(place: Path) -> Iterator[tuple[FileReading, float]]:
    """Yield the reading of each ticker of a price file, or of each in a folder, with its share of all bytes.

    Texts that hold no table are left out. Raises UserError if there is neither, InvalidPrices for a file of another
    kind.
    """
    places: dict[str, str] = {}
    if not place.exists():
        raise UserError(f"{place}: no such file or folder; expected a price file, or a folder of TICKER.csv files")
    paths = [place] if place.is_file() else price_paths(place)
    total = sum(path.stat().st_size for path in paths)
    for file in map(PriceFile, paths):
        if not file.is_table:
            continue
        share = file.path.stat().st_size / max(total, 1)
        for reading, number in _readings(file, places):
            yield reading, share / number
        file.forget_rows()


def _readings(file: PriceFile, places: dict[str, str]) -> Iterator[tuple[FileReading, int]]:
    """Yield the readings of a file, with their number."""
    try:
        tickers: list[str | None] = [*file.tickers] or [None]
    except ZenithError as error:
        yield FileReading(file.path.name, None, problem=str(error)), 1
        return
    for ticker in tickers:
        if ticker in places:
            both = f"{places[ticker]}, {file.path.name}"
            reading = FileReading(
                file.path.name, ticker, problem=f"{file.path.parent} has two files for {ticker}: {both}"
            )
        else:
            reading = _reading(file, ticker)
        yield reading, len(tickers)
        if ticker:
            places.setdefault(ticker, file.path.name)


def _reading(file: PriceFile, ticker: str | None) -> FileReading:
    reading = FileReading(file.path.name, ticker)
    try:
        exchange = exchange_of(ticker or _ANY_STOCK)
        reading = replace(reading, form=file.header.form.name)
        raw = file.prices(ticker or _ANY_STOCK, exchange.timezone)
        reading = _with_rows(reading, raw, has_volume=file.header.form.has_volume)
        return _with_cleaning(reading, clean_prices(raw, ticker or _ANY_STOCK, from_file=True))
    except ZenithError as error:
        problem = str(error) if ticker else str(error).removeprefix(f"{_ANY_STOCK}: ")
        return replace(reading, problem=problem)


def _with_rows(reading: FileReading, raw: pd.DataFrame, *, has_volume: bool) -> FileReading:
    rows = raw[raw.index.notna()].sort_index(kind="stable")
    doubts = []
    if reading.ticker is None:
        doubts.append("its name is no ticker, so it is left out; rename it, or add a column ticker")
    if not has_volume:
        doubts.append("it has no volumes; they are 0")
    return replace(
        reading,
        rows=len(raw),
        first=_row(rows, 0) if len(rows) else None,
        last=_row(rows, -1) if len(rows) else None,
        dividends=int((raw["dividends"] > 0).sum()),
        doubts=tuple(doubts),
    )


def _with_cleaning(reading: FileReading, cleaned: CleaningResult) -> FileReading:
    counts, notes = cleaned.counts, cleaned.notes
    remarks = [note for note in notes if any(word in note for word in _ACTION_WORDS)]
    problem = None
    impossible, rows = len(cleaned.quarantine), counts["rows_in"]
    if too_many_quarantined(impossible, rows) and reading.ticker is not None:  # else the calendar is a guess
        share = impossible / rows
        reasons = reasons_in_words(quarantine_reasons(cleaned.quarantine))
        problem = f"{share:.1%} of its rows are impossible, at most {MAX_QUARANTINED:.0%} may be: {reasons}"
    return replace(
        reading,
        sessions=counts["sessions"],
        splits=sum(counts.get(name, 0) for name in ("splits_applied", "splits_repaired", "splits_in_prices")),
        remarks=tuple(remarks),
        doubts=(*reading.doubts, *(note for note in notes if note not in remarks)),
        problem=problem,
    )


def _row(table: pd.DataFrame, at: int) -> dict[str, Any]:
    row = table.iloc[at]
    values = {name: None if pd.isna(row[name]) else float(row[name]) for name in REQUIRED}
    return {"date": f"{table.index[at]:%Y-%m-%d}", **values}
