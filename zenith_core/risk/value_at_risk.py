"""Value at risk, expected shortfall, volatility and price quantiles, read off a forecast distribution.

Sign convention: a loss is a positive share of the last close, 0.05 for a fall of 5 %; a gain is a negative loss. Log
returns keep their own sign. A `tail` is the probability of a loss above the value at risk, 0.05 for 5 %.

Sources: Jorion (2006), Value at Risk, chapter 5, for VaR as a quantile of the loss; Acerbi and Tasche (2002), On the
Coherence of Expected Shortfall, for ES as the mean of the quantiles beyond it.
"""

import math
from collections.abc import Sequence

import numpy as np

from zenith_core.arrays import Floats
from zenith_core.errors import UserError
from zenith_core.risk.forecast_distribution import TAILS, ForecastDistribution
from zenith_core.risk.interpolation import quantile_at, quantiles_at

MAX_TAIL = 0.5


def value_at_risk(distribution: ForecastDistribution, horizon: int, tail: float) -> float:
    """Return the loss over `horizon` sessions that is exceeded with probability `tail`.

    Raises UserError for a tail above MAX_TAIL or finer than the finest stored level.
    """
    return _loss(_scaled(distribution, horizon, _tail_quantile(distribution, horizon, tail)))


def expected_shortfall(distribution: ForecastDistribution, horizon: int, tail: float) -> float:
    """Return the mean loss in the `tail` worst cases over `horizon` sessions; at least the value at risk.

    It is the loss at the mean log return of the tail, which by Jensen's inequality is slightly above the mean loss.
    Between the TAILS with a stored shortfall it adds the area under the quantiles:
    tail * mean = first tail * its mean + area between the two. Raises as `value_at_risk`.
    """
    quantile = _tail_quantile(distribution, horizon, tail)
    nearest = max((index for index, level in enumerate(TAILS) if level <= tail), default=0)
    area = _area(distribution, horizon, TAILS[nearest], tail)
    mean = (TAILS[nearest] * distribution.shortfalls[horizon - 1, nearest] + area) / tail
    return _loss(_scaled(distribution, horizon, min(mean, quantile)))


def expected_volatility(distribution: ForecastDistribution, horizon: int) -> float:
    """Return the standard deviation of the log return over `horizon` sessions."""
    _require_horizon(distribution, horizon)
    return float(distribution.scale[horizon - 1])


def annual_volatility(distribution: ForecastDistribution, horizon: int, sessions_per_year: int) -> float:
    """Return `expected_volatility` for a year of so many sessions, by the square root of time."""
    return expected_volatility(distribution, horizon) * math.sqrt(sessions_per_year / horizon)


def price_quantiles(distribution: ForecastDistribution, levels: Sequence[float], close: float) -> Floats:
    """Return the prices after each horizon that are not exceeded with the probabilities `levels`: (H, levels).

    Raises UserError for a level beyond the outermost stored ones.
    """
    columns = [quantiles_at(level, distribution.levels, distribution.quantiles) for level in levels]
    prices: Floats = close * np.exp(distribution.scale[:, np.newaxis] * np.column_stack(columns))
    return prices


def _tail_quantile(distribution: ForecastDistribution, horizon: int, tail: float) -> float:
    _require_horizon(distribution, horizon)
    finest = float(distribution.levels[0])
    if not finest <= tail <= MAX_TAIL:
        raise UserError(f"tail {tail:g} is beyond the data: it must be between {finest:g} and {MAX_TAIL:g}")
    return quantile_at(tail, distribution.levels, distribution.quantiles[horizon - 1])


def _area(distribution: ForecastDistribution, horizon: int, start: float, end: float) -> float:
    """Return the integral of the quantiles from the level `start` to `end`, negative if `end` is below."""
    low, high = min(start, end), max(start, end)
    levels, quantiles = distribution.levels, distribution.quantiles[horizon - 1]
    between = levels[(levels > low) & (levels < high)]
    corners = np.array([low, *between, high])
    area = np.trapezoid([quantile_at(float(corner), levels, quantiles) for corner in corners], corners)
    return float(area if end >= start else -area)


def _scaled(distribution: ForecastDistribution, horizon: int, value: float) -> float:
    return float(distribution.scale[horizon - 1] * value)


def _loss(log_return: float) -> float:
    return -math.expm1(log_return)


def _require_horizon(distribution: ForecastDistribution, horizon: int) -> None:
    if not 1 <= horizon <= distribution.horizons:
        raise UserError(f"horizon must be 1 to {distribution.horizons} sessions")
