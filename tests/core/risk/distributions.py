"""A distribution whose figures are known in closed form: normal returns, highs and lows of a Brownian motion."""

from statistics import NormalDist

import numpy as np

from zenith_core.risk.forecast_distribution import LEVELS, TAILS, ForecastDistribution

NORMAL = NormalDist()


def normal_distribution(daily=0.01, horizons=30, levels=LEVELS, scale_version="7", data_version="abcdef"):
    """Normal log returns of mean 0; the highest high of a Brownian motion is distributed as |z| (reflection)."""
    each = np.ones((horizons, 1))
    levels = np.array(levels)
    return ForecastDistribution(
        scale_version=scale_version,
        data_version=data_version,
        scale=daily * np.sqrt(np.arange(1, horizons + 1)),
        levels=levels,
        quantiles=each * [NORMAL.inv_cdf(level) for level in levels],
        shortfalls=each * [-NORMAL.pdf(NORMAL.inv_cdf(tail)) / tail for tail in TAILS],
        highs=each * [NORMAL.inv_cdf((1 + level) / 2) for level in levels],
        lows=each * [-NORMAL.inv_cdf(1 - level / 2) for level in levels],
    )
