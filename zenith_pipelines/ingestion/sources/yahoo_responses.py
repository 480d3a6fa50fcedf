"""Interpret the responses of Yahoo's chart service.

Yahoo answers 404 "symbol may be delisted" both for unknown and for delisted tickers. A ticker counts as delisted if
Yahoo or the caller had it before, if Yahoo files it under YHD, or if its last trade is long ago; else as unknown.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from zenith_core.errors import Delisted, NoNewData, RateLimited, SourceError, SourceUnavailable, UnknownTicker
from zenith_pipelines.ingestion.sources.retries import retry_after

# Longer than any closure of an exchange (Athens 2015: five weeks). A ticker halted that long counts as delisted too.
DORMANT_AFTER = timedelta(days=60)
_DELISTED_EXCHANGE = "YHD"
_RETRIED_BY_YFINANCE = (401, 403)  # with a new cookie


@dataclass
class ChartResponses:
    """The responses to the requests for one ticker.

    since:       first day of an increment; the caller has earlier sessions of the ticker
    now:         zone-aware
    status:      of the latest response; None before it arrives
    retry_after: seconds to wait, by the latest response; 0 if it names none
    meta:        Yahoo's latest description of the ticker
    """

    ticker: str
    since: date | None
    now: datetime
    status: int | None = None
    retry_after: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Start a request: forget the status of the previous response."""
        self.status, self.retry_after = None, 0.0

    def read(self, response: Any) -> None:
        """Read one response of the chart service. Raises the SourceError that a refusal means.

        401 and 403 raise nothing: yfinance retries those with another cookie.
        """
        self.status = response.status_code
        self.retry_after = retry_after(response.headers.get("Retry-After"), self.now)
        chart = _chart(response.text)
        refusal = _mapping(chart.get("error"))
        if self.status in _RETRIED_BY_YFINANCE:
            return
        if self.status >= 400 or chart.get("error"):
            raise self._refusal(self.status, str(refusal.get("code")), _line(refusal.get("description") or ""))
        results = chart.get("result")
        result = _mapping(results[0]) if isinstance(results, list) and results else {}
        self.meta = _mapping(result.get("meta")) or self.meta

    def failure(self, error: Exception) -> SourceError:
        """Return the SourceError for an exception of yfinance without a refusal."""
        from yfinance.exceptions import YFTickerMissingError

        if self.status in _RETRIED_BY_YFINANCE:
            return SourceUnavailable(f"yahoo refuses requests for {self.ticker} (HTTP {self.status})")
        if isinstance(error, YFTickerMissingError):
            return self.no_sessions("no sessions")
        reason = f"{type(error).__name__}: {_line(error)}"
        if self.status is None:
            return SourceUnavailable(f"yahoo request for {self.ticker} failed: {reason}")
        return SourceUnavailable(f"yahoo response for {self.ticker} is unreadable: {reason}")

    def no_sessions(self, reason: str) -> SourceError:
        """Return Delisted if the ticker is no longer traded, else NoNewData."""
        if reason_delisted := self.why_delisted():
            return Delisted(reason_delisted)
        return NoNewData(f"yahoo has no prices of {self.ticker}{_since(self.since)}: {reason}")

    def why_delisted(self) -> str | None:
        """Return the reason why the ticker counts as delisted, by Yahoo's description of it; None if it does not."""
        timestamp = self.meta.get("regularMarketTime")
        last_trade = datetime.fromtimestamp(timestamp, UTC) if isinstance(timestamp, int) else None
        dormant = last_trade and self.now - last_trade > DORMANT_AFTER
        if self.meta.get("exchangeName") == _DELISTED_EXCHANGE or dormant:
            reason = f"last traded on {last_trade:%Y-%m-%d}" if last_trade else "filed under delisted tickers"
            return f"{self.ticker} is delisted on yahoo: {reason}"
        return None

    def _refusal(self, status: int, code: str, description: str) -> SourceError:
        if status == 429:
            wait = f"in {self.retry_after:.0f} s" if self.retry_after else "later"
            return RateLimited(f"yahoo rate limit reached (HTTP 429): retry {self.ticker} {wait}")
        if status >= 500:
            return SourceUnavailable(f"yahoo request for {self.ticker} failed: HTTP {status}")
        if status == 404 or code == "Not Found":
            return self._not_found()
        return self.no_sessions(description or f"HTTP {status}")

    def _not_found(self) -> SourceError:
        if self.since:
            return Delisted(
                f"yahoo no longer knows {self.ticker}, delisted or renamed: it had sessions before {self.since}"
            )
        if self.meta:
            return Delisted(f"yahoo knows {self.ticker} but has no prices of it: it may be delisted")
        return UnknownTicker(f"yahoo does not know {self.ticker}: unknown, or delisted long ago")


def _chart(body: str) -> dict[str, Any]:
    """Return the chart of a response body; {} for any other body, which yfinance reports."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return _mapping(_mapping(document).get("chart"))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _line(text: object) -> str:
    return " ".join(str(text).split())[:200]


def _since(since: date | None) -> str:
    return f" since {since}" if since else ""
