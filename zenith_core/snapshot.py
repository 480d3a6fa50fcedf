"""The serving snapshot: all that serving needs to know of a ticker's data, as plain arrays and dates."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

STALE_AFTER_SESSIONS = 5
"""Data that miss more sessions than this are called stale, in the Dagster UI and in each answer."""


@dataclass(frozen=True)
class ServingSnapshot:
    """The model inputs at one forecast origin.

    ticker:         validated ticker
    data_version:   content hash of the cleaned prices behind the snapshot
    feature_spec:   hash of the declared features; a model made with another spec must refuse it
    as_of:          the forecast origin, the last closed session in the data
    close:          adjusted close at `as_of`, in `currency`
    volatility:     daily volatility of log-returns at `as_of`, a fraction
    window:         (sessions, features) float32, the last row is `as_of`
    next_sessions:  the next 30 sessions of the ticker's exchange after `as_of`
    recent:         the last sessions' (date, close) for a chart
    """

    ticker: str
    data_version: str
    feature_spec: str
    as_of: date
    close: float
    currency: str
    volatility: float
    window: NDArray[np.float32]
    next_sessions: tuple[date, ...]
    recent: tuple[tuple[date, float], ...] = ()

    @cached_property
    def price_inputs(self) -> dict[str, NDArray[np.float32]]:
        """What a price model is asked, as zenith_core.inference has it: one origin, n = 1."""
        return {
            "window": self.window[np.newaxis],
            "close": np.array([self.close], dtype=np.float32),
            "volatility": np.array([self.volatility], dtype=np.float32),
        }

    def to_json(self) -> dict[str, Any]:
        """The snapshot as JSON-ready values; `from_json` restores it bit for bit."""
        return {
            "ticker": self.ticker,
            "data_version": self.data_version,
            "feature_spec": self.feature_spec,
            "as_of": self.as_of.isoformat(),
            "close": self.close,
            "currency": self.currency,
            "volatility": self.volatility,
            "window": [[float(value) for value in row] for row in self.window],
            "next_sessions": [session.isoformat() for session in self.next_sessions],
            "recent": [[session.isoformat(), close] for session, close in self.recent],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Inverse of `to_json`. Raises KeyError or ValueError on a document that is not a snapshot."""
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
            recent=tuple((date.fromisoformat(text), float(close)) for text, close in document["recent"]),
        )
