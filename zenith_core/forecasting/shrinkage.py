"""How far forecasts deserve to leave the naive one, judged on rows that did not train them."""

import numpy as np

from zenith_core.arrays import AnyFloats, Floats
from zenith_core.statistics.long_run_variance import overlap_variance

MIN_T_STATISTIC = 1.645  # standard errors: a chance of 5 %, one-sided, as whoever claims skill must show


def shrinkage(forecasts: AnyFloats, outcomes: AnyFloats) -> Floats:
    """The factors in [0, 1], (horizons,), to multiply forecast changes by, from what came of earlier ones.

    `forecasts` and `outcomes` are (n, horizons) of consecutive rows and in the same units; an outcome that is NaN is
    left out. No horizon is believed more than a shorter one: long outcomes contain the short ones, and a record holds
    few that do not overlap, so that what shows at a long horizon only is more likely luck.
    """
    columns = zip(forecasts.T, outcomes.T, strict=True)
    deserved = [_factor(made, came, horizon) for horizon, (made, came) in enumerate(columns, start=1)]
    return np.minimum.accumulate(deserved)


def _factor(forecasts: AnyFloats, outcomes: AnyFloats, horizon: int) -> float:
    """The factor of one horizon, from forecasts and outcomes (n,).

    It starts from the least-squares slope of outcomes on forecasts through the origin, which is the naive forecast of
    no change (the efficiency regression of Mincer and Zarnowitz, 1969, without its intercept). Overconfident forecasts
    have a slope below 1, worthless ones about 0; beyond 1 would be learning from the rows that judge. The slope then
    loses the share (standard error / slope)^2 of itself, as the positive-part estimator of James and Stein (1961)
    does, and all of it below MIN_T_STATISTIC. Its error knows that outcomes of consecutive rows overlap.
    """
    known = np.isfinite(outcomes)
    made, came = np.where(known, forecasts, 0.0), np.where(known, outcomes, 0.0)
    power = float(made @ made)
    slope = float(made @ came) / power if power > 0 else 0.0
    surprise = made * (came - slope * made)
    error = np.sqrt(len(surprise) * overlap_variance(surprise, horizon)) / power if power > 0 else 0.0
    if slope <= 0 or slope < MIN_T_STATISTIC * error:
        return 0.0
    return float(min(slope, 1.0) * (1.0 - (error / slope) ** 2))
