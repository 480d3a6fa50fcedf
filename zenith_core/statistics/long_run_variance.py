"""Variances of sums of serially correlated values, as overlapping forecasts make them."""

import numpy as np

from zenith_core.arrays import Floats


def flat_variance(values: Floats, lags: int) -> float:
    """Long-run variance of `values` (n,) with full weight on the autocovariances up to `lags`; may be negative."""
    covariances = _autocovariances(values, lags)
    return float(covariances[0] + 2 * covariances[1:].sum())


def bartlett_variance(values: Floats, lags: int) -> float:
    """Long-run variance of `values` (n,), never negative: weights fall linearly to 0 beyond `lags`.

    Source: Newey and West (1987), A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation
    Consistent Covariance Matrix.
    """
    covariances = _autocovariances(values, lags)
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)
    return float(covariances[0] + 2 * weights @ covariances[1:])


def overlap_variance(values: Floats, horizon: int) -> float:
    """Long-run variance of `values` (n,) that rest on outcomes `horizon` rows ahead, of which consecutive ones overlap.

    It takes the autocovariances up to `horizon` - 1 in full; where that is not positive, with Bartlett's weights.
    """
    flat = flat_variance(values, horizon - 1)
    return flat if flat > 0 else bartlett_variance(values, horizon - 1)


def _autocovariances(values: Floats, lags: int) -> Floats:
    """Of lags 0 … `lags`; 0 where there are no pairs so far apart."""
    centred, count = values - values.mean(), len(values)
    return np.array([centred[lag:] @ centred[: max(count - lag, 0)] for lag in range(lags + 1)]) / count
