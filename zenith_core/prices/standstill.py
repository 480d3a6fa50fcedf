"""Stretches in which a price stands still: a halt, or a stock that hardly trades.

The volatility of such a stretch says nothing: it falls to its floor, and the first move afterwards is a thousand times
as large. So nothing is learned or scored there, and nothing is forecast from there.
"""

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools

WINDOW = 60  # sessions
LEAST_MOVES = 15  # closes within the window that differ from the close before


def standing_still(close: pd.Series) -> Bools:
    """Return True where fewer than LEAST_MOVES of the last WINDOW closes moved, (n,); False while there are fewer."""
    count = np.cumsum(_moves(close))
    few = np.zeros(len(close), bool)
    if len(close) >= WINDOW:
        few[WINDOW - 1 :] = count[WINDOW - 1 :] - np.append(0, count[:-WINDOW]) < LEAST_MOVES
    return few


def moving_sessions(close: pd.Series) -> int:
    """Return the number of sessions in which the price did not stand still."""
    return int((~standing_still(close)).sum())


def moves_at_end(close: pd.Series) -> int:
    """Return the number of the last WINDOW closes that differ from the close before."""
    return int(_moves(close)[-WINDOW:].sum())


def _moves(close: pd.Series) -> Bools:
    """Return True where a close differs from the one before, and for the first."""
    prices = close.to_numpy()
    return np.append(True, prices[1:] != prices[:-1])[: len(prices)]
