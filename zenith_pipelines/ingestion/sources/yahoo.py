"""Yahoo Finance through yfinance: daily prices as Yahoo reports them, with dividends and splits.

One thread per process uses yfinance at a time; the caller limits the number of processes, and `pace` their requests.
Several tickers at once would save nothing: a chart of Yahoo has one ticker, and `yfinance.download` asks for each.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

import pandas as pd

from zenith_core.errors import Delisted, RateLimited, UnknownTicker
from zenith_core.market.exchanges import currency_pair
from zenith_core.market.listing import listing
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.ingestion.sources import yahoo_client
from zenith_pipelines.ingestion.sources.base import RawPrices, raw_table
from zenith_pipelines.ingestion.sources.pace import Pace
from zenith_pipelines.ingestion.sources.retries import RetryPolicy
from zenith_pipelines.ingestion.sources.yahoo_responses import ChartResponses
from zenith_pipelines.patience import waiting_for

_COLUMNS = {"Adj Close": "adj_close", "Stock Splits": "splits"}


class YahooSource:
    """Daily prices from Yahoo, not adjusted for dividends. Yahoo adjusts all past prices at each split.

    session:      replaces the HTTP session, for tests and proxies (a curl_cffi or requests Session)
    retry_policy: limits of retries after temporary errors
    sleep, clock: replaced in tests
    pace:         shared with other processes; None for none
    """

    name = "yahoo"

    def __init__(
        self,
        session: Any = None,
        retry_policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: Pace | None = None,
    ) -> None:
        self._session = session
        self._retry_policy = retry_policy or RetryPolicy()
        self._sleep = sleep
        self._clock = clock
        self._pace = pace

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`.

        The rows are unchanged: some have no prices, and the last one is unfinished during its session (see
        `fetched_at`). An increment of a delisted ticker raises Delisted even if Yahoo still has old sessions.
        """
        ticker = _no_isin(validate_ticker(ticker))
        if currency_pair(ticker) and not ticker.endswith("=X"):
            ticker += "=X"  # as Yahoo writes EURUSD
        responses = ChartResponses(ticker, since, self._clock())
        with waiting_for(self.name):
            history = self._retry_policy.call(
                lambda: self._attempt(responses), retry_after=lambda: responses.retry_after, sleep=self._sleep
            )
        return RawPrices(
            prices=_table(history),
            source=self.name,
            library=f"yfinance {version('yfinance')}",
            fetched_at=responses.now,
            currency=responses.meta.get("currency"),
            listing=_listing(responses.meta),
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`: only Yahoo knows."""
        return True

    def tickers(self) -> None:
        """Yahoo does not list its tickers."""
        return None

    def _attempt(self, responses: ChartResponses) -> pd.DataFrame:
        responses.now = self._clock()
        session = self._session or yahoo_client.default_session()
        history = self._history(session, responses)
        if history.empty:
            raise responses.no_sessions("an empty history")
        if responses.since and (reason := responses.why_delisted()):
            raise Delisted(reason)
        return history

    def _history(self, session: Any, responses: ChartResponses) -> pd.DataFrame:
        """Ask for the history at the shared pace. A refusal pauses all processes."""
        timeout, pace = self._retry_policy.timeout, self._pace
        if pace is None:
            return yahoo_client.history(session, responses, timeout)
        try:
            return yahoo_client.history(session, responses, timeout, lambda: self._wait(pace, responses))
        except RateLimited:
            if responses.status == 429:  # else the pause is another process's
                pace.pause(responses.retry_after)
            raise

    def _wait(self, pace: Pace, responses: ChartResponses) -> None:
        if seconds := pace.wait(self._retry_policy.total_wait):
            responses.begin()
            responses.retry_after = seconds
            raise RateLimited(f"yahoo has asked for a pause: retry {responses.ticker} in {seconds:.0f} s")


def _no_isin(ticker: str) -> str:
    """Return the ticker. Raises UnknownTicker for an ISIN: yfinance would return another ticker's prices for it."""
    from yfinance.utils import is_isin

    if is_isin(ticker):
        raise UnknownTicker(f"{ticker} is an ISIN; yahoo expects a ticker such as PETR4.SA")
    return ticker


def _listing(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the listing in Yahoo's description of a ticker."""
    instrument = meta.get("instrumentType")
    return listing(
        {
            "exchange": meta.get("fullExchangeName") or meta.get("exchangeName"),
            "instrument": instrument.lower() if isinstance(instrument, str) else None,
            "name": meta.get("longName") or meta.get("shortName"),
        }
    )


def _table(history: pd.DataFrame) -> pd.DataFrame:
    prices = history.set_axis(pd.DatetimeIndex(history.index).tz_localize(None).normalize())
    return raw_table(prices.rename(columns=lambda name: _COLUMNS.get(name, name.lower())))
