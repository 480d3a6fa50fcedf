"""The probability that a price is touched within some sessions, from the distribution of highs and lows.

An upper level is touched when the high of a session reaches it, a lower one when a low does; a gap over it counts.
The quantiles of highs and lows are those of past prices, so no path is simulated and no process is assumed. They are
about sessions as traded: a level that is touched only between sessions is not.
"""

import math

from zenith_core.errors import UserError
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.risk.interpolation import Limit, Probability, probability_below, probability_up_to

_COMPLEMENT: dict[Limit | None, Limit | None] = {"at_most": "at_least", "at_least": "at_most", None: None}


def touch_probability(distribution: ForecastDistribution, horizon: int, price: float, close: float) -> Probability:
    """Return the probability that `price` is touched within `horizon` sessions of the last `close`.

    It never falls with the horizon: a price that is touched within fewer sessions is touched within more. Beyond the
    outermost quantiles it is a bound. Raises UserError if `price` is not positive or is the close itself.
    """
    if not 1 <= horizon <= distribution.horizons:
        raise UserError(f"horizon must be 1 to {distribution.horizons} sessions")
    if not (math.isfinite(price) and price > 0):
        raise UserError("a price to touch must be a number above 0")
    if price == close:
        raise UserError(f"a price to touch must be above or below the last close, {close:g}")
    return max(
        (_within(distribution, row, math.log(price) - math.log(close)) for row in range(horizon)),
        key=lambda probability: probability.value,
    )


def _within(distribution: ForecastDistribution, row: int, log_change: float) -> Probability:
    value, levels = log_change / distribution.scale[row], distribution.levels
    if log_change < 0:
        return probability_up_to(value, levels, distribution.lows[row])
    below = probability_below(value, levels, distribution.highs[row])
    return Probability(1 - below.value, _COMPLEMENT[below.limit])
