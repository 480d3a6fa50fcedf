"""Real prices of the package bokeh-sampledata (public domain), available without a network.

AAPL, IBM and MSFT from 2000-03-01, GOOG from 2004-08-19, FB from 2012-05-18, all until 2013-03-01. Prices are
split-unadjusted; dividends and splits show only in the adjusted close.
"""

import importlib
from datetime import UTC, date, datetime
from importlib.metadata import version

import pandas as pd

from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.ingestion.sources.base import RawPrices, raw_table, since_date, unknown_ticker

TICKERS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


class SampleSource:
    """The packaged sample of five tickers."""

    name = "sample"

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`."""
        ticker = validate_ticker(ticker)
        if not self.offers(ticker):
            raise unknown_ticker(ticker, "the sample", TICKERS)
        stocks = importlib.import_module("bokeh_sampledata.stocks")
        table = pd.DataFrame(getattr(stocks, ticker))
        table.index = pd.to_datetime(table.pop("date"), format="%Y-%m-%d")
        return RawPrices(
            prices=since_date(raw_table(table), since),
            source=self.name,
            library=f"bokeh-sampledata {version('bokeh-sampledata')}",
            fetched_at=datetime.now(UTC),
            currency="USD",
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`."""
        return ticker in TICKERS

    def tickers(self) -> list[str]:
        """See `PriceSource.tickers`."""
        return list(TICKERS)
