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

    Quantiles are linear in the normal quantile of the level, as in zenith_core/risk/interpolation.py; beyond the
    outermost levels the last slope goes on.
    """
    below, share = _places(tuple(distribution.levels.tolist()), len(draws))
    quantiles = (distribution.scale[horizon - 1] * distribution.quantiles[horizon - 1]).astype(np.float32)
    log_returns = np.empty(len(draws), np.float32)
    log_returns[_order(draws)] = quantiles.take(below) + share * (quantiles[1:] - quantiles[:-1]).take(below)
    return log_returns


def _order(draws: AnyFloats) -> AnyInts:
    """Return the order of draws, those nearer than a 65,536th of their spread as they come: 16 bits sort fastest."""
    lowest = float(draws.min())
    steps = (draws - lowest) * (65_535 / max(float(draws.max()) - lowest, 1e-30))
    return np.argsort(steps.astype(np.uint16), kind="stable")


@lru_cache(maxsize=16)
def _places(levels: tuple[float, ...], count: int) -> tuple[AnyInts, Floats32]:
    """Return where `count` even probabilities lie: the level below each, and the share of the way to the next one."""
    normal = NormalDist()
    scores = np.array([normal.inv_cdf(level) for level in levels])
    even = np.array([normal.inv_cdf((number + 0.5) / count) for number in range(count)])
    below = np.clip(np.searchsorted(scores, even, side="right") - 1, 0, len(levels) - 2)
    share = (even - scores[below]) / np.diff(scores)[below]
    return below, share.astype(np.float32)
