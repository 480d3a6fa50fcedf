"""Quality checks of a price table: for each invariant a figure and the days that violate it. Pure functions.

cleaned: index "date", naive, midnight; open, high, low, close, volume, factor; flat, carried, suspect (bool).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import columns_of
from zenith_core.market.exchanges import Exchange
from zenith_core.market.sessions import last_closed_session, sessions_closed_since
from zenith_core.prices.jumps import unexplained_jumps

WARN_QUARANTINED = 0.02
MAX_QUARANTINED = 0.05
FEW_QUARANTINED = 2
"""So many rows in quarantine are never too many: two holidays are 7 % of a file of 30 rows."""

MAX_RESTATED = 0.01
_FIRST = 3  # days named of each reason


@dataclass(frozen=True)
class Finding:
    """The result of a check: its figure, and the days that violate the invariant as ISO dates, oldest first."""

    figure: float
    days: tuple[str, ...] = ()


def future_dates(prices: pd.DataFrame, exchange: Exchange, now: datetime) -> Finding:
    """Find rows of sessions that have not closed at `now` (zone-aware)."""
    return _count(prices.index[prices.index > pd.Timestamp(last_closed_session(exchange, now))])


def repeated_or_unsorted(prices: pd.DataFrame) -> Finding:
    """Find rows with a repeated day, or after a later day."""
    index = prices.index
    return _count(index[index.duplicated() | (index < index.to_series().cummax().to_numpy())])


def inconsistent_bars(prices: pd.DataFrame) -> Finding:
    """Find rows with prices that are not finite and positive, or with open or close outside low and high."""
    open_, high, low, close = columns_of(prices, ("open", "high", "low", "close")).T
    sound = (low > 0) & (low <= np.minimum(open_, close)) & (np.maximum(open_, close) <= high) & (high < np.inf)
    return _count(prices.index[~sound])


def quarantined_share(quarantine: pd.DataFrame, rows_in: int) -> Finding:
    """Return the share of impossible source rows, a fraction; rows without a date count, but have no day."""
    return Finding(len(quarantine) / rows_in if rows_in else 0.0, _iso(quarantine.index))


def too_many_quarantined(rows: int, rows_in: int) -> bool:
    """Return True if the other rows cannot be trusted either: more than FEW_QUARANTINED, and than 5 % of `rows_in`."""
    return rows > max(FEW_QUARANTINED, MAX_QUARANTINED * rows_in)


def quarantine_reasons(quarantine: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return for each reason its number of `rows` and the `first` days as ISO dates; the most frequent reason first."""
    tally = quarantine["reason"].value_counts()
    return {
        str(reason): {"rows": int(rows), "first": list(_iso(quarantine.index[quarantine["reason"] == reason])[:_FIRST])}
        for reason, rows in tally.items()
    }


def reasons_in_words(reasons: Mapping[str, Mapping[str, Any]]) -> str:
    """Return text such as `low above high (3, first 2014-01-02, 2014-01-03); no date (2)`."""
    return "; ".join(
        f"{reason} ({entry['rows']}" + (f", first {', '.join(entry['first'])}" if entry["first"] else "") + ")"
        for reason, entry in reasons.items()
    )


def jumps_without_action(prices: pd.DataFrame) -> Finding:
    """Find days with a close up by half or down by a third or more, with no action to explain it."""
    active = prices[~prices["flat"] & ~prices["carried"]]
    positions = unexplained_jumps(active["close"].to_numpy(), active["suspect"].to_numpy())
    return _count(active.index[positions])


def sessions_behind(prices: pd.DataFrame, exchange: Exchange, now: datetime) -> Finding:
    """Find the sessions of the exchange that closed after the last row, until `now` (zone-aware)."""
    return _count(sessions_closed_since(exchange, prices.index[-1].date(), now))


def _count(days: pd.Index) -> Finding:
    return Finding(len(days), _iso(days))


def _iso(days: pd.Index) -> tuple[str, ...]:
    return tuple(str(day.date()) for day in days.dropna().unique().sort_values())
