"""Joint draws whose marginals are the served distributions: only the order of the draws is kept.

Source: Clark et al. (2004), The Schaake Shuffle: A Method for Reconstructing Space-Time Variability in Forecasted
Precipitation and Temperature Fields.
"""

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from zenith_core.arrays import AnyFloats, AnyInts, Floats32
from zenith_core.risk.forecast_distribution import ForecastDistribution


def with_marginal(draws: AnyFloats, distribution: ForecastDistribution, horizon: int) -> Floats32:
    """Return log returns (draws,) in the order of `draws`, spread evenly over the probabilities of `distribution`.

    The second half of `draws` is the mirror image of the first, as of `correlated_draws`. Quantiles are linear in the
    normal quantile of the level, as in zenith_core/risk/interpolation.py; beyond the outermost levels the last slope
    goes on.
    """
    half = draws[: len(draws) // 2]
    quantiles = (distribution.scale[horizon - 1] * distribution.quantiles[horizon - 1]).astype(np.float32)
    ascending = quantiles @ _weights(tuple(distribution.levels.tolist()), 2 * len(half))
    order = _order_of_sizes(half)
    lower, upper = np.empty((2, len(half)), np.float32)
    upper[order] = ascending[len(half) :]
    lower[order] = ascending[: len(half)][::-1]
    is_positive = half > 0
    return np.concatenate((np.where(is_positive, upper, lower), np.where(is_positive, lower, upper)))


def _order_of_sizes(draws: AnyFloats) -> AnyInts:
    """Return the order of draws by size, those nearer than a 65,536th of the largest as they come.

    16 bits sort fastest.
    """
    sizes = np.abs(draws)
    sizes *= 65_535 / max(float(sizes.max()), 1e-30)
    return np.argsort(sizes.astype(np.uint16), kind="stable")


@lru_cache(maxsize=16)
def _weights(levels: tuple[float, ...], count: int) -> Floats32:
    """Return the weights of the quantiles at `levels` in those of `count` even probabilities: (levels, count)."""
    normal = NormalDist()
    scores = np.array([normal.inv_cdf(level) for level in levels])
    even = np.array([normal.inv_cdf((number + 0.5) / count) for number in range(count)])
    below = np.clip(np.searchsorted(scores, even, side="right") - 1, 0, len(levels) - 2)
    share = (even - scores[below]) / np.diff(scores)[below]
    weights = np.zeros((len(levels), count), np.float32)
    columns = np.arange(count)
    weights[below, columns] = 1 - share
    weights[below + 1, columns] = share
    return weights
