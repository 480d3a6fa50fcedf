"""Random markets for tests of calculations on prices."""

import numpy as np
import pandas as pd


def random_prices(sessions, seed=3, crash=None):
    """Fat-tailed moves of 1.5 % a day or so; at the row `crash`, if any, the price loses 60 %."""
    rng = np.random.default_rng(seed)
    moves = rng.standard_t(4, sessions) * 0.015
    if crash:
        moves[crash] = -0.9
    close = 30 * np.exp(np.cumsum(moves))
    open_ = close * np.exp(rng.normal(0, 0.008, sessions))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, sessions)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, sessions)))
    volume = rng.integers(1_000, 90_000, sessions).astype(float)
    index = pd.bdate_range("2015-01-01", periods=sessions, name="date")
    return pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume}, index=index)
