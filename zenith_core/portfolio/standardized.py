"""Returns measured by the volatility before them, and the shrinkage of their correlation."""

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.portfolio.correlation import SMALLEST, SPAN, weighted_sums

USUAL = 23  # half-life of the variance that a return is measured by: a decay of 0.97


def standardized(returns: Floats) -> Floats:
    """Return `returns` (rows, tickers) over the volatility before them; NaN without a return or a volatility."""
    variance = pd.DataFrame(returns**2).ewm(halflife=USUAL).mean().shift(1).to_numpy()
    present = np.isfinite(returns) & (variance > 0)
    scores: Floats = np.where(present, returns, np.nan) / np.sqrt(np.where(present, variance, 1.0))
    return scores


def shrinkage(scores: Floats) -> float:
    """Return the share of the identity in the correlation of standardized returns: the oracle approximating one.

    From sums that do not overlap. 0 for fewer than two tickers that move.
    Source: Chen, Wiesel, Eldar and Hero (2010), Shrinkage Algorithms for MMSE Covariance Estimation.
    """
    from sklearn.covariance import oas

    sums, present, weight = weighted_sums(scores)
    variance = (weight * sums**2).sum(axis=0) / np.maximum((weight * present).sum(axis=0), SMALLEST)
    moving = variance > 0
    if moving.sum() < 2:
        return 0.0
    rows = (sums[:, moving] / np.sqrt(variance[moving]) * np.sqrt(weight / weight.mean()))[::-SPAN]
    return float(oas(rows, assume_centered=True)[1])
