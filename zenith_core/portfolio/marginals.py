"""Joint draws whose marginals are the served distributions: only the order of the draws is kept.

Source: Clark et al. (2004), The Schaake Shuffle: A Method for Reconstructing Space-Time Variability in Forecasted
Precipitation and Temperature Fields.
"""

import numpy as np

from zenith_core.arrays import Floats
from zenith_core.risk.forecast_distribution import ForecastDistribution


def with_marginal(draws: Floats, distribution: ForecastDistribution, horizon: int) -> Floats:
    """Return log returns (draws,) in the order of `draws`, spread evenly over the probabilities of `distribution`.

    Quantiles are linear in the normal quantile of the level, as in zenith_core/risk/interpolation.py; beyond the
    outermost levels the last slope goes on.
    """
    from scipy.special import ndtri

    scores, quantiles = ndtri(distribution.levels), distribution.quantiles[horizon - 1]
    even = ndtri((np.arange(len(draws)) + 0.5) / len(draws))
    values = np.interp(even, scores, quantiles)
    for beyond, (outer, inner) in ((even < scores[0], (0, 1)), (even > scores[-1], (-1, -2))):
        slope = (quantiles[outer] - quantiles[inner]) / (scores[outer] - scores[inner])
        values[beyond] = quantiles[outer] + slope * (even[beyond] - scores[outer])
    log_returns = np.empty(len(draws))
    log_returns[np.argsort(draws, kind="stable")] = distribution.scale[horizon - 1] * values
    return log_returns
