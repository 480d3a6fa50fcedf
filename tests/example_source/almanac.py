"""A price source in a package of its own: the table `bars` of the SQLite file that ALMANAC_FILE names."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from zenith_core.errors import NoNewData, UserError
from zenith_pipelines.ingestion.sources.base import RawPrices, raw_table, since_date, unknown_ticker


class Almanac:
    """Daily prices as traded, with dividends."""

    name = "almanac"

    def __init__(self, file):
        self._file = file

    def fetch(self, ticker, since=None):
        """Return all sessions of a ticker, or those from `since` on."""
        if not self.offers(ticker):
            raise unknown_ticker(ticker, str(self._file), self.tickers())
        rows = self._read("SELECT * FROM bars WHERE ticker = ? ORDER BY date", ticker)
        rows.index = pd.to_datetime(rows.pop("date"), format="%Y-%m-%d")
        prices = since_date(raw_table(rows), since)
        if prices.empty:
            raise NoNewData(f"{self._file} has no {ticker} since {since}")
        return RawPrices(prices, self.name, f"sqlite {sqlite3.sqlite_version}", datetime.now(UTC), currency="USD")

    def offers(self, ticker):
        """Return False for a ticker that is not in the file."""
        return ticker in self.tickers()

    def tickers(self):
        """Return the tickers in the file."""
        return sorted(self._read("SELECT DISTINCT ticker FROM bars")["ticker"])

    def _read(self, query, *parameters):
        with closing(sqlite3.connect(self._file)) as database:
            return pd.read_sql_query(query, database, params=parameters)


def open_source(options):
    """Return the source. `options.settings` has Zenith's own settings."""
    file = Path(os.environ.get("ALMANAC_FILE", ""))
    if not file.is_file():
        raise UserError(f"ALMANAC_FILE {str(file)!r} is no file: name the database of the almanac")
    return Almanac(file)
