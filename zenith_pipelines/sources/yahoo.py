"""Yahoo Finance through yfinance: unadjusted prices with dividends and splits."""

import warnings
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

import pandas as pd

from zenith_core.errors import Delisted, NoNewData, RateLimited, SourceError, SourceUnavailable, UnknownTicker
from zenith_core.tickers import validate_ticker
from zenith_pipelines.sources.base import RawPrices, raw_table

_COLUMNS = {"Adj Close": "adj_close", "Stock Splits": "splits"}


class YahooSource:
    """Daily prices from Yahoo. `session` replaces yfinance's own HTTP session, for tests and proxies."""

    name = "yahoo"

    def __init__(self, session: Any = None) -> None:
        self._session = session

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`."""
        ticker = validate_ticker(ticker)
        history, currency = self._history(ticker, since)
        if history.empty:
            raise NoNewData(f"yahoo has no sessions of {ticker}" + (f" since {since}" if since else ""))
        history.index = pd.DatetimeIndex(history.index).tz_localize(None).normalize()
        table = history.rename(columns=lambda name: _COLUMNS.get(name, name.lower()))
        return RawPrices(
            prices=raw_table(table),
            source=self.name,
            library=f"yfinance {version('yfinance')}",
            fetched_at=datetime.now(UTC),
            currency=currency,
        )

    def _history(self, ticker: str, since: date | None) -> tuple[pd.DataFrame, str | None]:
        import yfinance

        yfinance.config.debug.hide_exceptions = False  # hidden, every failure looks like an empty history
        handle = yfinance.Ticker(ticker, session=self._session)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # yfinance's own use of pandas
            try:
                history = handle.history(
                    start=since and since.isoformat(),
                    period=None if since else "max",
                    interval="1d",
                    auto_adjust=False,
                    actions=True,
                    timeout=30,
                )
                return history, handle.history_metadata.get("currency")
            except Exception as error:
                raise _typed(ticker, error) from error

    def tickers(self) -> None:
        """Yahoo does not list its tickers."""
        return None


def _typed(ticker: str, error: Exception) -> SourceError:
    """What a failure inside yfinance means. Yahoo answers 404 to unknown and to delisted tickers alike."""
    from yfinance.exceptions import YFPricesMissingError, YFRateLimitError, YFTzMissingError

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, YFRateLimitError) or status == 429:
        return RateLimited("yahoo asks to slow down (HTTP 429): try again in some minutes")
    if isinstance(error, YFTzMissingError) or status == 404:
        return UnknownTicker(f"yahoo does not know {ticker}: unknown, or delisted for long")
    if isinstance(error, YFPricesMissingError):
        reason = str(error.yahoo_reason or "no prices")
        kind = Delisted if "delisted" in reason else NoNewData
        return kind(f"yahoo has no prices of {ticker}: {reason}")
    reason = " ".join(str(error).split())[:200]
    return SourceUnavailable(f"yahoo could not be asked for {ticker}: {type(error).__name__}: {reason}")
