"""Jumps without a corporate action: splits that the source omits, and errors that revert the next session."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.arrays import Bools, Floats

_WHOLE = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 50.0, 100.0)
RATIOS = np.array(sorted([1.5, *_WHOLE, 1 / 1.5, *(1 / ratio for ratio in _WHOLE)]))
"""Ratios that companies split by. Below 3:2 a split looks like a bad day."""

SMALLEST_SPLIT = np.log(1.4)  # below 3:2, less the day's own move
SMALLEST_ERROR = 0.15  # a smaller move that reverts is trading
UNEXPLAINED = np.log(1.5)


@dataclass(frozen=True)
class Bars:
    """Adjusted bars of sessions in which there was trading, each (n,)."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def unrecorded_splits(bars: Bars) -> list[tuple[int, float]]:
    """Return (position of the first bar after the split, ratio of new to old shares), oldest first.

    A jump counts as a split only with all the evidence: a simple ratio, a level that stays, share volume that changes
    by the ratio, and an ordinary day. A crash (AAPL 2000-09-29, -52 %) has many times the usual volume and a wide
    range, and stays.
    """
    jumps = overnight_jumps(bars)
    candidates = np.flatnonzero(np.abs(jumps) > SMALLEST_SPLIT)
    if not len(candidates):
        return []  # the usual case; the volatility below is most of the work
    volatility = _volatility(bars.close)
    splits = []
    for position in candidates:
        ratio = float(RATIOS[np.argmin(np.abs(np.log(RATIOS) - jumps[position]))])
        if _is_split(bars, int(position), ratio, jumps[position], volatility[position]):
            splits.append((int(position), ratio))
    return splits


def overnight_jumps(bars: Bars) -> Floats:
    """Log of the previous close over the bar's middle, (n,), 0 for the first: log 2 for a 2:1 split on a quiet day."""
    middle = np.median([bars.open, bars.high, bars.low, bars.close], axis=0)
    jumps = np.zeros(len(middle))
    jumps[1:] = np.log(bars.close[:-1] / middle[1:])
    return jumps


def reverting_jumps(close: Floats) -> Bools:
    """Return True where a close jumps and reverts the next session, (n,): a suspected source error. Never the last."""
    returns = np.diff(np.log(close), prepend=np.nan)
    if not (np.abs(returns) > SMALLEST_ERROR).any():
        return np.zeros(len(close), bool)
    following = np.append(returns[1:], np.nan)
    # Errors are isolated, moves in a crisis are not: PETR4 fell 20 % and rose 22 % in the days of March 2020.
    usual = np.maximum(_volatility(close), _volatility(close, bars=10))
    leaps = np.abs(returns) > np.maximum(SMALLEST_ERROR, 8 * usual)
    return np.asarray(leaps & (np.abs(returns + following) < 0.2 * np.abs(returns)))


def unexplained_jumps(close: Floats, suspect: Bools) -> NDArray[np.intp]:
    """Return positions of closes up by half or down by a third or more, neither suspect nor after a suspect one."""
    returns = np.diff(np.log(close), prepend=np.log(close[:1]))
    around = suspect | np.append(False, suspect[:-1])
    return np.flatnonzero((np.abs(returns) > UNEXPLAINED) & ~around)


def _is_split(bars: Bars, at: int, ratio: float, jump: float, volatility: float) -> bool:
    if at < 10 or at + 2 > len(bars.close) or not np.isfinite(volatility):
        return False  # too few bars around it
    tolerance = min(max(0.03, 2.5 * volatility), 0.1)
    level = np.median(bars.close[at - 3 : at]) / np.median(bars.close[at : at + 3])
    before, after = np.median(bars.volume[max(at - 20, 0) : at]), np.median(bars.volume[at : at + 5])
    ranges = np.log(bars.high / bars.low)[max(at - 20, 0) : at + 1]
    return bool(
        abs(jump - np.log(ratio)) < tolerance
        and abs(np.log(level / ratio)) < 2 * tolerance
        and before > 0
        and after > 0
        and abs(np.log(after / before / ratio)) < np.log(2.5)
        and ranges[-1] < 3 * np.median(ranges[:-1]) + 0.01
    )


def _volatility(close: Floats, bars: int = 60) -> Floats:
    """Return the robust daily volatility of log-returns over the `bars` before each, (n,); NaN for the first ten."""
    returns = pd.Series(np.abs(np.diff(np.log(close), prepend=np.nan)))
    return (returns.rolling(bars, min_periods=10).median().shift(1) / 0.6745).to_numpy()
