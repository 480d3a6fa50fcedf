"""A folder of price files: TICKER.csv or TICKER.parquet, in any case, or files of any name with a ticker column."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from zenith_core.errors import InvalidPrices, InvalidTicker, UserError
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.ingestion.sources.base import RawPrices, since_date, unknown_ticker
from zenith_pipelines.ingestion.sources.csv_table import read_table, tickers_inside

_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class _Place:
    """The place of a ticker's rows: its own file, or its rows in a long-format file."""

    path: Path
    is_long: bool


class CsvFolderSource:
    """The price files of one folder. Raises UserError if there is no folder, or no price file in it."""

    name = "csv"

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise UserError("the csv source needs a folder of TICKER.csv files: --csv-dir or ZENITH_CSV_DIR")
        self._folder = folder

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`."""
        ticker = validate_ticker(ticker)
        exchange = exchange_of(ticker)
        places = self._places()
        if ticker not in places:
            raise unknown_ticker(ticker, str(self._folder), places)
        place = places[ticker]
        return RawPrices(
            prices=since_date(read_table(place.path, exchange.timezone, ticker if place.is_long else None), since),
            source=self.name,
            library=f"pandas {pd.__version__}",
            fetched_at=datetime.now(UTC),
            folder=str(self._folder.resolve()),
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`."""
        return ticker in self._places()

    def tickers(self) -> list[str]:
        """See `PriceSource.tickers`."""
        return sorted(self._places())

    def _places(self) -> dict[str, _Place]:
        try:
            paths = sorted(self._folder.iterdir())
        except OSError as error:
            reason = error.strerror or "cannot be listed"
            raise UserError(f"{self._folder}: {reason}; expected a folder of TICKER.csv files") from None
        places: dict[str, _Place] = {}
        for path in paths:
            for ticker, place in _tickers_of(path):
                if ticker in places:
                    both = f"{places[ticker].path.name}, {path.name}"
                    raise UserError(f"{self._folder} has two files for {ticker}: {both}")
                places[ticker] = place
        if not places:
            there = ", ".join(path.name for path in paths[:5]) or "nothing"
            raise UserError(f"{self._folder} holds no TICKER.csv or TICKER.parquet; it holds {there}")
        return places


def _tickers_of(path: Path) -> list[tuple[str, _Place]]:
    """List the tickers of a file; none if it is no price file.

    Raises InvalidPrices if rows of a long-format file have no valid ticker, because they would be lost.
    """
    if path.suffix.lower() not in _SUFFIXES:
        return []
    own, names = _ticker(path.stem), tickers_inside(path)
    # One name that is no ticker ("Apple Inc.") is a comment in a file of one ticker.
    if names in ([], [own]) or (len(names) == 1 and not _ticker(names[0])):
        return [(own, _Place(path, is_long=False))] if own else []
    if wrong := [name for name in names if not _ticker(name)]:
        problem = f"{wrong[0][:40]!r} is not a ticker" if wrong[0] else "some rows have no ticker"
        raise InvalidPrices(f"{path}, column ticker: {problem}; expected a ticker such as PETR4.SA in each row")
    return [(name, _Place(path, is_long=True)) for name in names]


def _ticker(text: str) -> str | None:
    try:
        return validate_ticker(text)
    except InvalidTicker:
        return None
