"""A feature table with a planted edge, for tests of the walk-forward studies."""

import numpy as np
import pandas as pd


def edge_table(sessions, columns, edge, seed=0):
    """Return a table whose column a has correlation `edge` with the next session's return."""
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2020-01-01", periods=sessions, name="date")
    table = pd.DataFrame(rng.normal(size=(sessions, len(columns))), index=index, columns=list(columns))
    returns = edge * table["a"].shift(1, fill_value=0) + (1 - edge**2) ** 0.5 * rng.normal(size=sessions)
    table["close"] = 50 * np.exp(np.cumsum(0.02 * returns))
    table["volatility"] = 0.02
    return table
