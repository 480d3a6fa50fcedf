"""Shrinkage of forecasts toward the naive one, by their out-of-sample record."""

import numpy as np

from zenith_core.arrays import AnyFloats, Floats
from zenith_core.statistics.long_run_variance import overlap_variance

MIN_T_STATISTIC = 1.645  # standard errors: the 5 % level of a one-sided test
STRICT_T_STATISTIC = 2.326  # … the 1 % level, for a second part that is tested on the remainder of the first


def shrinkage(forecasts: AnyFloats, outcomes: AnyFloats, min_t: float = MIN_T_STATISTIC) -> Floats:
    """Return factors in [0, 1], (horizons,), for forecast changes, from the record of earlier forecasts.

    `forecasts` and `outcomes` are (n, horizons) of consecutive rows and in the same units; an outcome that is NaN is
    left out. A slope of less than `min_t` standard errors is no evidence. No horizon has a larger factor than a
    shorter one: long outcomes contain the short ones, and few of them do not overlap, so skill at a long horizon only
    is more likely luck.
    """
    columns = zip(forecasts.T, outcomes.T, strict=True)
    factors = [_factor(column, outcome, horizon, min_t) for horizon, (column, outcome) in enumerate(columns, start=1)]
    return np.minimum.accumulate(factors)


def _factor(forecasts: AnyFloats, outcomes: AnyFloats, horizon: int, min_t: float) -> float:
    """Return the factor of one horizon, from forecasts and outcomes (n,).

    It starts from the least-squares slope of outcomes on forecasts through the origin, which is the naive forecast of
    no change (the efficiency regression of Mincer and Zarnowitz, 1969, without its intercept). Overconfident forecasts
    have a slope below 1, worthless ones about 0; a slope above 1 is cut to 1, because it would be fitted to the test
    rows. The slope then loses the share (standard error / slope)^2 of itself, as the positive-part estimator of James
    and Stein (1961) does, and all of it below `min_t`. Its error allows for the overlap of consecutive
    outcomes.
    """
    is_known = np.isfinite(outcomes)
    x, y = np.where(is_known, forecasts, 0.0), np.where(is_known, outcomes, 0.0)
    power = float(x @ x)
    slope = float(x @ y) / power if power > 0 else 0.0
    surprise = x * (y - slope * x)
    error = np.sqrt(len(surprise) * overlap_variance(surprise, horizon)) / power if power > 0 else 0.0
    if slope <= 0 or slope < min_t * error:
        return 0.0
    return float(min(slope, 1.0) * (1.0 - (error / slope) ** 2))
