"""How far forecasts deserve to leave the naive one, judged on rows that did not train them."""

import numpy as np
from numpy.typing import NDArray

from zenith_core.long_run import bartlett_variance


def shrinkage(forecasts: NDArray[np.floating], outcomes: NDArray[np.floating]) -> float:
    """The factor in [0, 1] to multiply forecast changes by: (n, horizons) each, in the same units, NaN left out.

    It starts from the least-squares slope of outcomes on forecasts through the origin, which is the naive forecast of
    no change (the efficiency regression of Mincer and Zarnowitz, 1969, without its intercept). Overconfident forecasts
    have a slope below 1, worthless ones about 0; beyond 1 would be learning from the rows that judge. The slope then
    loses the share (standard error / slope)^2 of itself, all of it where that exceeds 1: the positive-part estimator
    of James and Stein (1961). Its standard error knows that outcomes of consecutive rows overlap by the horizons.
    """
    known = np.isfinite(outcomes)
    made, came = np.where(known, forecasts, 0.0), np.where(known, outcomes, 0.0)
    power = float((made**2).sum())
    slope = float((made * came).sum()) / power if power > 0 else 0.0
    if slope <= 0:
        return 0.0
    surprise = (made * (came - slope * made)).sum(axis=1)
    error = np.sqrt(len(surprise) * bartlett_variance(surprise, outcomes.shape[1])) / power
    return float(min(slope, 1.0) * max(0.0, 1.0 - (error / slope) ** 2))
