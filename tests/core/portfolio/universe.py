"""Drawn returns of a universe with a known scale and a common factor."""

import numpy as np


def drawn_returns(rows=900, tickers=8, seed=1, common=0.6):
    """Return daily log returns (rows, tickers); the standard deviations go from 0.5 % to 3 %."""
    generator = np.random.default_rng(seed)
    factor = generator.standard_normal((rows, 1))
    own = generator.standard_normal((rows, tickers))
    return np.linspace(0.005, 0.03, tickers) * (np.sqrt(common) * factor + np.sqrt(1 - common) * own)
