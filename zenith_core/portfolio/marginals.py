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
    count = len(half)
    quantiles = (distribution.scale[horizon - 1] * distribution.quantiles[horizon - 1]).astype(np.float32)
    ascending = quantiles @ _weights(tuple(distribution.levels.tolist()), 2 * count)
    ranks = _ranks_by_size(half)
    ranks ^= (half > 0) - 1  # of a negative draw: -1 less its rank
    ranks += count
    log_returns = np.empty(2 * count, np.float32)
    ascending.take(ranks, out=log_returns[:count], mode="clip")
    np.subtract(2 * count - 1, ranks, out=ranks)
    ascending.take(ranks, out=log_returns[count:], mode="clip")
    return log_returns


def _ranks_by_size(draws: AnyFloats) -> AnyInts:
    """Return the rank of each draw by size, 0 for the smallest; those of nearly the same size as they come.

    Size and place are sorted as one number, which takes half the time of an argsort.
    """
    place_bits = (len(draws) - 1).bit_length()
    size_bits = min(32 - place_bits, 20)
    sizes = np.abs(draws)
    sizes *= (2**size_bits - 1) / max(float(sizes.max()), 1e-30)
    places = np.arange(len(draws))
    keys = sizes.astype(np.uint32)
    keys <<= np.uint32(place_bits)
    keys |= places.astype(np.uint32)
    keys.sort()
    keys &= np.uint32(2**place_bits - 1)
    ranks = np.empty_like(places)
    ranks[keys] = places
    return ranks


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
