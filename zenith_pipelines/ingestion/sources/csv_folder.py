"""A folder of price files: TICKER.csv, .txt, .tsv, .parquet or .xlsx, or files of any name with a ticker column."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from zenith_core.errors import UserError
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.ingestion.sources.base import RawPrices, since_date, unknown_ticker
from zenith_pipelines.ingestion.sources.files.price_file import open_price_file, price_paths, tickers_of


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
        paths = self._paths()
        if ticker not in paths:
            raise unknown_ticker(ticker, str(self._folder), paths)
        return RawPrices(
            prices=since_date(open_price_file(paths[ticker]).prices(ticker, exchange.timezone), since),
            source=self.name,
            library=f"pandas {pd.__version__}",
            fetched_at=datetime.now(UTC),
            folder=str(self._folder.resolve()),
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`."""
        return ticker in self._paths()

    def tickers(self) -> list[str]:
        """See `PriceSource.tickers`."""
        return sorted(self._paths())

    def _paths(self) -> dict[str, Path]:
        """Return the file of each ticker."""
        paths: dict[str, Path] = {}
        for path in price_paths(self._folder):
            for ticker in tickers_of(path):
                if ticker in paths:
                    raise UserError(f"{self._folder} has two files for {ticker}: {paths[ticker].name}, {path.name}")
                paths[ticker] = path
        if not paths:
            there = ", ".join(path.name for path in sorted(self._folder.iterdir())[:5]) or "nothing"
            raise UserError(f"{self._folder} holds no price file of a ticker, such as AAPL.csv; it holds {there}")
        return paths
