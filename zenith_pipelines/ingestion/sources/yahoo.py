"""Yahoo Finance through yfinance: daily prices as Yahoo says them, with dividends and splits.

yfinance is used by one thread of a process at a time; how many processes ask Yahoo at once is for the caller to limit.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

import pandas as pd

from zenith_core.errors import Delisted, UnknownTicker
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.ingestion.sources import yahoo_client
from zenith_pipelines.ingestion.sources.base import RawPrices, raw_table
from zenith_pipelines.ingestion.sources.yahoo_responses import ChartAnswers
from zenith_pipelines.ingestion.sources.yahoo_retry import RetryPolicy

_COLUMNS = {"Adj Close": "adj_close", "Stock Splits": "splits"}


class YahooSource:
    """Daily prices from Yahoo, not adjusted for dividends. Yahoo adjusts its whole past for each split, when it comes.

    session:  replaces the HTTP session, for tests and proxies (a curl_cffi or requests Session)
    retry_policy: how often and how long a refusal that may pass is tried again
    sleep, clock: the passing of time, for tests
    """

    name = "yahoo"

    def __init__(
        self,
        session: Any = None,
        retry_policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session = session
        self._retry_policy = retry_policy or RetryPolicy()
        self._sleep = sleep
        self._clock = clock

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`.

        Holds what Yahoo said: rows without prices, and today's bar while its session lasts (`fetched_at` tells).
        An increment of a ticker that is traded no more raises Delisted even where old sessions are still to be had.
        """
        ticker = _no_isin(validate_ticker(ticker))
        answers = ChartAnswers(ticker, since, self._clock())
        history = self._retry_policy.call(
            lambda: self._attempt(answers), retry_after=lambda: answers.retry_after, sleep=self._sleep
        )
        return RawPrices(
            prices=_table(history),
            source=self.name,
            library=f"yfinance {version('yfinance')}",
            fetched_at=answers.now,
            currency=answers.meta.get("currency"),
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`: only Yahoo knows."""
        return True

    def tickers(self) -> None:
        """Yahoo does not list its tickers."""
        return None

    def _attempt(self, answers: ChartAnswers) -> pd.DataFrame:
        answers.now = self._clock()
        session = self._session or yahoo_client.default_session()
        history = yahoo_client.history(session, answers, self._retry_policy.timeout)
        if history.empty:
            raise answers.no_sessions("an empty history")
        if answers.since and (gone := answers.gone()):
            raise Delisted(gone)
        return history


def _no_isin(ticker: str) -> str:
    """The ticker, unless yfinance would take it for an ISIN and deliver another ticker's prices under its name."""
    from yfinance.utils import is_isin

    if is_isin(ticker):
        raise UnknownTicker(f"yahoo knows tickers, and {ticker} is an ISIN: name the ticker")
    return ticker


def _table(history: pd.DataFrame) -> pd.DataFrame:
    dated = history.set_axis(pd.DatetimeIndex(history.index).tz_localize(None).normalize())
    return raw_table(dated.rename(columns=lambda name: _COLUMNS.get(name, name.lower())))
