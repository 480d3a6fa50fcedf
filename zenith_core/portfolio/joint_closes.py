"""Closes of several tickers on common rows, for exchanges with different holidays and closing times."""

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools, Floats

QUOTED = 0.4  # share of the tickers that must have a close: a day on which most exchanges rest is no row
YOUNG = 20  # returns a ticker needs before it counts as listed


def joint_log_returns(closes: pd.DataFrame) -> Floats:
    """Return log returns of `closes` (day × ticker) between common sessions: (rows - 1, tickers).

    A missing close is the one before, and the move of a day that is left out belongs to the next row. NaN up to the
    first close of a ticker. A row depends on no later one.
    """
    logs = closes.ffill().apply(np.log)
    quoted = closes.notna().sum(axis=1) / logs.notna().sum(axis=1).clip(lower=1)
    returns: Floats = logs.loc[quoted >= QUOTED].diff().iloc[1:].to_numpy(dtype=np.float64)
    return returns


def is_listed(returns: Floats) -> Bools:
    """Return True for each ticker with at least YOUNG `returns` (rows, tickers)."""
    enough: Bools = np.isfinite(returns).sum(axis=0) >= YOUNG
    return enough
