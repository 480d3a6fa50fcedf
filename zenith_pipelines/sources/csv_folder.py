"""A folder of price files, one per ticker: TICKER.csv or TICKER.parquet, in any case."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.exchanges import exchange_of
from zenith_core.tickers import validate_ticker
from zenith_pipelines.sources.base import RawPrices, since_date, unknown_ticker
from zenith_pipelines.sources.csv_table import read_table

_SUFFIXES = (".csv", ".parquet")


class CsvFolderSource:
    """The files of one folder. Raises UserError if there is no folder, or nothing in it that is a price file."""

    name = "csv"

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise UserError("the csv source needs a folder of TICKER.csv files: --csv-dir or ZENITH_CSV_DIR")
        self._folder = folder

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`."""
        ticker = validate_ticker(ticker)
        exchange = exchange_of(ticker)
        files = self._files()
        if ticker not in files:
            raise unknown_ticker(ticker, str(self._folder), files)
        return RawPrices(
            prices=since_date(read_table(files[ticker], exchange.timezone), since),
            source=self.name,
            library=f"pandas {pd.__version__}",
            fetched_at=datetime.now(UTC),
        )

    def tickers(self) -> list[str]:
        """See `PriceSource.tickers`."""
        return sorted(self._files())

    def _files(self) -> dict[str, Path]:
        try:
            paths = sorted(self._folder.iterdir())
        except OSError as error:
            reason = error.strerror or "cannot be listed"
            raise UserError(f"{self._folder}: {reason}; expected a folder of TICKER.csv files") from None
        files: dict[str, Path] = {}
        for path in paths:
            ticker = _ticker_of(path)
            if ticker in files:
                raise UserError(f"{self._folder} has two files for {ticker}: {files[ticker].name}, {path.name}")
            if ticker:
                files[ticker] = path
        if not files:
            there = ", ".join(path.name for path in paths[:5]) or "nothing"
            raise UserError(f"{self._folder} holds no TICKER.csv or TICKER.parquet; it holds {there}")
        return files


def _ticker_of(path: Path) -> str | None:
    if path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        return validate_ticker(path.stem)
    except InvalidTicker:
        return None
