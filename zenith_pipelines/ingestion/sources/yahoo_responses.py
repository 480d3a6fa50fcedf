"""What the answers of Yahoo's chart service mean.

Yahoo answers 404 "symbol may be delisted" to unknown and to delisted tickers alike. A ticker counts as delisted if
Yahoo or the caller knew it before, if Yahoo files it under YHD, or if its last trade is long ago; else as unknown.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from zenith_core.errors import Delisted, NoNewData, RateLimited, SourceError, SourceUnavailable, UnknownTicker

# Longer than exchanges close (Athens 2015: five weeks). A ticker halted for as long counts as delisted too.
DORMANT_AFTER = timedelta(days=60)
_DELISTED_EXCHANGE = "YHD"
_NEW_COOKIE_HELPS = (401, 403)


@dataclass
class ChartAnswers:
    """The conversation about one ticker.

    since:       the day an increment starts from; its caller has had sessions of the ticker before
    now:         zone-aware
    status:      of the latest answer; None while there is none
    retry_after: seconds that the latest answer asks to wait; 0 if it does not say
    meta:        what Yahoo last told about the ticker
    """

    ticker: str
    since: date | None
    now: datetime
    status: int | None = None
    retry_after: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """A request goes out: forget the status of the answer before."""
        self.status, self.retry_after = None, 0.0

    def hear(self, response: Any) -> None:
        """Take in one answer of the chart service. Raises SourceError of the kind that a refusal means.

        401 and 403 pass: yfinance tries those again with another cookie.
        """
        self.status = response.status_code
        self.retry_after = retry_after(response.headers.get("Retry-After"), self.now)
        chart = _chart(response.text)
        refusal = _mapping(chart.get("error"))
        if self.status in _NEW_COOKIE_HELPS:
            return
        if self.status >= 400 or chart.get("error"):
            raise self._refusal(self.status, str(refusal.get("code")), _line(refusal.get("description") or ""))
        results = chart.get("result")
        described = _mapping(results[0]) if isinstance(results, list) and results else {}
        self.meta = _mapping(described.get("meta")) or self.meta

    def failure(self, error: Exception) -> SourceError:
        """What an exception of yfinance means that no refusal explains."""
        from yfinance.exceptions import YFTickerMissingError

        if self.status in _NEW_COOKIE_HELPS:
            return SourceUnavailable(f"yahoo refuses to answer for {self.ticker} (HTTP {self.status})")
        if isinstance(error, YFTickerMissingError):
            return self.no_sessions("no sessions")
        reason = f"{type(error).__name__}: {_line(error)}"
        if self.status is None:
            return SourceUnavailable(f"yahoo could not be asked for {self.ticker}: {reason}")
        return SourceUnavailable(f"yahoo's answer for {self.ticker} could not be read: {reason}")

    def no_sessions(self, reason: str) -> SourceError:
        """Delisted if the ticker trades no more, else NoNewData."""
        if gone := self.gone():
            return Delisted(gone)
        return NoNewData(f"yahoo has no prices of {self.ticker}{_since(self.since)}: {reason}")

    def gone(self) -> str | None:
        """Why Yahoo's description of the ticker means that it is traded no more; None if it does not."""
        traded = self.meta.get("regularMarketTime")
        day = datetime.fromtimestamp(traded, UTC) if isinstance(traded, int) else None
        if self.meta.get("exchangeName") == _DELISTED_EXCHANGE or (day and self.now - day > DORMANT_AFTER):
            last = f"last traded on {day:%Y-%m-%d}" if day else "filed under delisted tickers"
            return f"yahoo trades {self.ticker} no more: {last}"
        return None

    def _refusal(self, status: int, code: str, description: str) -> SourceError:
        if status == 429:
            wait = f" for {self.retry_after:.0f} s" if self.retry_after else ""
            return RateLimited(f"yahoo asks to slow down{wait} (HTTP 429): try {self.ticker} again later")
        if status >= 500:
            return SourceUnavailable(f"yahoo could not be asked for {self.ticker}: HTTP {status}")
        if status == 404 or code == "Not Found":
            return self._not_found()
        return self.no_sessions(description or f"HTTP {status}")

    def _not_found(self) -> SourceError:
        if self.since:
            return Delisted(
                f"yahoo knows {self.ticker} no more, delisted or renamed: it had sessions before {self.since}"
            )
        if self.meta:
            return Delisted(f"yahoo knows {self.ticker}, but has no prices of it: it may be delisted")
        return UnknownTicker(f"yahoo does not know {self.ticker}: unknown, or delisted for long")


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds that a Retry-After header (RFC 9110: seconds or a date) asks to wait; 0 if it is absent or unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _chart(body: str) -> dict[str, Any]:
    """The chart of an answer, or {} for a body that is none; yfinance reports what it cannot read."""
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
