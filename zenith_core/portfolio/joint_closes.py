"""Closes of several tickers on common rows, for exchanges with different holidays and closing times."""

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools, Floats

QUOTED = 0.4  # share of the tickers that must have a close: a day on which most exchanges rest is no row
YOUNG = 20  # returns a ticker needs before it counts as listed


def joint_closes(closes: pd.DataFrame) -> pd.DataFrame:
    """Return `closes` (day × ticker) on common sessions; a missing close is the one before, NaN up to the first.

    A row depends on no later one.
    """
    latest = closes.ffill()
    share = closes.notna().sum(axis=1) / latest.notna().sum(axis=1).clip(lower=1)
    return latest.loc[share >= QUOTED]


def log_returns(common: pd.DataFrame) -> Floats:
    """Return log returns between rows: (rows - 1, tickers)."""
    returns: Floats = np.diff(np.log(common.to_numpy(dtype=np.float64)), axis=0)
    return returns


def joint_log_returns(closes: pd.DataFrame) -> Floats:
    """Return log returns of `closes` between common sessions: (rows - 1, tickers).

    The move of a day that is left out belongs to the next row. NaN up to the first close of a ticker.
    """
    return log_returns(joint_closes(closes))


def is_listed(returns: Floats) -> Bools:
    """Return True for each ticker with at least YOUNG `returns` (rows, tickers)."""
    enough: Bools = np.isfinite(returns).sum(axis=0) >= YOUNG
    return enough
