"""The serving snapshot: a ticker's data for serving, as plain arrays and dates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

import numpy as np

from zenith_core.arrays import Floats32
from zenith_core.risk.forecast_distribution import ForecastDistribution

STALE_AFTER_SESSIONS = 5
"""Data that lack more sessions than this are stale, in the Dagster UI and in each answer."""


@dataclass(frozen=True)
class ServingSnapshot:
    """The model inputs at one forecast origin.

    ticker:         validated ticker
    data_version:   content hash of the cleaned prices behind the snapshot
    feature_spec:   hash of the feature spec behind `window` and `volatility`
    as_of:          the forecast origin, the last closed session in the data
    close:          adjusted close at `as_of`, in `currency`
    volatility:     daily volatility of log returns at `as_of`, a fraction
    window:         (sessions, features) float32, the last row is `as_of`
    next_sessions:  the next 30 sessions of the ticker's exchange after `as_of`
    calendar_end:   if some of them lie beyond the exchange's published calendar, its last day; those are estimated
    recent:         the last sessions' (date, close) for a chart
    listing:        exchange, instrument and name of the ticker, as far as its source or its suffix tells
    other_specs:    snapshots with the inputs of other feature specs that registered models use, by spec; if this
                    code cannot compute a spec, its last snapshot, with an older `as_of`
    distribution:   of the log returns after `as_of`, by the scale of all tickers; None in a snapshot of before 0.2.0,
                    and where `no_distribution` says why
    risk_record:    `walk_forward_record` of the ticker, of this or an earlier origin; empty if there is none
    """

    ticker: str
    data_version: str
    feature_spec: str
    as_of: date
    close: float
    currency: str
    volatility: float
    window: Floats32
    next_sessions: tuple[date, ...]
    recent: tuple[tuple[date, float], ...] = ()
    calendar_end: date | None = None
    listing: Mapping[str, str] = field(default_factory=dict)
    other_specs: "Mapping[str, ServingSnapshot]" = field(default_factory=dict)
    distribution: ForecastDistribution | None = None
    no_distribution: str = ""
    risk_record: Mapping[str, Any] = field(default_factory=dict)

    def for_spec(self, spec: str) -> "ServingSnapshot | None":
        """Return the snapshot with the inputs of a feature spec, or None if there is none."""
        return self if spec == self.feature_spec else self.other_specs.get(spec)

    def distribution_from(self, origin: date) -> ForecastDistribution | None:
        """Return the distribution of the log returns after `origin`, or None if there is none from that session."""
        return self.distribution if self.as_of == origin else None

    def price_inputs(self, window: int) -> dict[str, Floats32]:
        """Return the inputs of a price model that sees `window` sessions, as zenith_core.inference declares them.

        One origin, n = 1.
        """
        return {
            "window": self.window[np.newaxis, -window:],
            "close": np.array([self.close], dtype=np.float32),
            "volatility": np.array([self.volatility], dtype=np.float32),
        }

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values, from which `from_json` restores the snapshot bit for bit."""
        return {
            "ticker": self.ticker,
            "data_version": self.data_version,
            "feature_spec": self.feature_spec,
            "as_of": self.as_of.isoformat(),
            "close": self.close,
            "currency": self.currency,
            "volatility": self.volatility,
            "window": self.window.tolist(),
            "next_sessions": [session.isoformat() for session in self.next_sessions],
            "calendar_end": self.calendar_end and self.calendar_end.isoformat(),
            "recent": [[session.isoformat(), close] for session, close in self.recent],
            "listing": dict(self.listing),
            "other_specs": {spec: snapshot.to_json() for spec, snapshot in self.other_specs.items()},
            "distribution": self.distribution and self.distribution.to_dict(),
            "no_distribution": self.no_distribution,
            "risk_record": dict(self.risk_record),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Restore a snapshot from `to_json`. Raises KeyError, TypeError or ValueError on any other document.

        A snapshot written by an older release has no `other_specs`, `calendar_end`, `listing` or `distribution`.
        """
        distribution = document.get("distribution")
        return cls(
            ticker=document["ticker"],
            data_version=document["data_version"],
            feature_spec=document["feature_spec"],
            as_of=date.fromisoformat(document["as_of"]),
            close=float(document["close"]),
            currency=document["currency"],
            volatility=float(document["volatility"]),
            window=np.asarray(document["window"], dtype=np.float32),
            next_sessions=tuple(date.fromisoformat(text) for text in document["next_sessions"]),
            calendar_end=date.fromisoformat(end) if (end := document.get("calendar_end")) else None,
            recent=tuple((date.fromisoformat(text), float(close)) for text, close in document["recent"]),
            listing=dict(document.get("listing", {})),
            other_specs={spec: cls.from_json(other) for spec, other in document.get("other_specs", {}).items()},
            distribution=ForecastDistribution.from_dict(distribution) if distribution else None,
            no_distribution=str(document.get("no_distribution", "")),
            risk_record=dict(document.get("risk_record", {})),
        )
