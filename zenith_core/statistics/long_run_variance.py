"""Return the long-run variance of serially correlated values, such as the errors of overlapping forecasts."""

import numpy as np

from zenith_core.arrays import Floats


def flat_variance(values: Floats, lags: int) -> float:
    """Long-run variance of `values` (n,) with full weight on the autocovariances up to `lags`; may be negative."""
    covariances = _autocovariances(values, lags)
    return float(covariances[0] + 2 * covariances[1:].sum())


def bartlett_variance(values: Floats, lags: int) -> float:
    """Return the long-run variance of `values` (n,), never negative: weights fall linearly to 0 beyond `lags`.

    Source: Newey and West (1987), A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation
    Consistent Covariance Matrix.
    """
    covariances = _autocovariances(values, lags)
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)
    return float(covariances[0] + 2 * weights @ covariances[1:])


def overlap_variance(values: Floats, horizon: int) -> float:
    """Return the long-run variance of `values` (n,) that depend on overlapping outcomes `horizon` rows ahead.

    The autocovariances up to `horizon` - 1 have full weight, or Bartlett's weights if the result is not positive.
    """
    flat = flat_variance(values, horizon - 1)
    return flat if flat > 0 else bartlett_variance(values, horizon - 1)


def _autocovariances(values: Floats, lags: int) -> Floats:
    """Return the autocovariances of lags 0 … `lags`; 0 for lags without pairs."""
    deviations, count = values - values.mean(), len(values)
    return np.array([deviations[lag:] @ deviations[: max(count - lag, 0)] for lag in range(lags + 1)]) / count
