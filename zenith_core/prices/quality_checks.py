"""What can be wrong with a table of prices: for each invariant its figure and the days that offend. Pure functions.

cleaned: index "date", naive, midnight; open, high, low, close, volume, factor; flat, carried, suspect (bool).
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from zenith_core.market.exchanges import Exchange
from zenith_core.market.sessions import last_closed_session, sessions_closed_since
from zenith_core.prices.jumps import unexplained_jumps

WARN_QUARANTINED = 0.02
MAX_QUARANTINED = 0.05
MAX_RESTATED = 0.01


@dataclass(frozen=True)
class Finding:
    """What an invariant's check found: its figure, and the offending days as ISO dates, oldest first."""

    figure: float
    days: tuple[str, ...] = ()


def future_dates(prices: pd.DataFrame, exchange: Exchange, now: datetime) -> Finding:
    """Rows of sessions that have not closed at `now` (zone-aware)."""
    return _count(prices.index[prices.index > pd.Timestamp(last_closed_session(exchange, now))])


def repeated_or_unsorted(prices: pd.DataFrame) -> Finding:
    """Rows whose day is there already, or that come after a later day."""
    index = prices.index
    return _count(index[index.duplicated() | (index < index.to_series().cummax().to_numpy())])


def inconsistent_bars(prices: pd.DataFrame) -> Finding:
    """Rows whose prices are not finite and positive, or whose low and high do not hold open and close."""
    opened, high, low, close = prices[["open", "high", "low", "close"]].to_numpy().T
    sound = (low > 0) & (low <= np.minimum(opened, close)) & (np.maximum(opened, close) <= high) & (high < np.inf)
    return _count(prices.index[~sound])


def quarantined_share(quarantine: pd.DataFrame, rows_in: int) -> Finding:
    """The share of a source's rows that were impossible, a fraction; rows without a date count, but have no day."""
    return Finding(len(quarantine) / rows_in if rows_in else 0.0, _iso(quarantine.index))


def jumps_without_action(prices: pd.DataFrame) -> Finding:
    """Days whose close is half as high again as the one before, or the inverse, with no action to explain it."""
    traded = prices[~prices["flat"] & ~prices["carried"]]
    positions = unexplained_jumps(traded["close"].to_numpy(), traded["suspect"].to_numpy())
    return _count(traded.index[positions])


def sessions_behind(prices: pd.DataFrame, exchange: Exchange, now: datetime) -> Finding:
    """Sessions of the exchange that closed after the last row and until `now` (zone-aware), and which."""
    return _count(sessions_closed_since(exchange, prices.index[-1].date(), now))


def _count(days: pd.Index) -> Finding:
    return Finding(len(days), _iso(days))


def _iso(days: pd.Index) -> tuple[str, ...]:
    return tuple(str(day.date()) for day in days.dropna().unique().sort_values())
