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
    moves = (close.diff() != 0).astype("float64").rolling(WINDOW).sum()
    return np.asarray(moves < LEAST_MOVES)


def moves_at_end(close: pd.Series) -> int:
    """Return the number of the last WINDOW closes that differ from the close before."""
    return int((close.diff() != 0).iloc[-WINDOW:].sum())
