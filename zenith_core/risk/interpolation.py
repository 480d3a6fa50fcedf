"""Interpolation between the stored levels of a distribution, for quantiles and for probabilities.

Between two levels a quantile is linear in the normal quantile of the level: a Q-Q plot against the normal distribution
is a line from point to point. So a normal distribution is met exactly, and tails are not overstated, as they are by a
line in the level itself. Nothing is extrapolated beyond the outermost levels.
"""

from bisect import bisect_left, bisect_right
from functools import lru_cache
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np

from zenith_core.arrays import Floats
from zenith_core.errors import UserError

Limit = Literal["at_most", "at_least"]

_NORMAL = NormalDist()


class Probability(NamedTuple):
    """A probability; with `limit` only a bound of it, because the stored levels end there."""

    value: float
    limit: Limit | None = None


def quantile_at(level: float, levels: Floats, quantiles: Floats) -> float:
    """Return the quantile at `level` of non-decreasing `quantiles` (K,) at increasing `levels` (K,).

    Raises UserError for a level beyond the outermost of `levels`.
    """
    require_within(level, levels)
    return float(np.interp(_NORMAL.inv_cdf(level), _normal_quantiles(tuple(levels.tolist())), quantiles))


def quantiles_at(level: float, levels: Floats, quantiles: Floats) -> Floats:
    """Return `quantile_at` of many rows at once: (n, K) → (n,). Raises as it does."""
    require_within(level, levels)
    if level in levels:
        return np.asarray(quantiles[:, np.searchsorted(levels, level)], dtype=np.float64)
    return np.array([quantile_at(level, levels, row) for row in quantiles])


def require_within(level: float, levels: Floats) -> None:
    """Raise UserError for a level beyond the outermost of `levels`."""
    if not levels[0] <= level <= levels[-1]:
        raise UserError(
            f"level {level:g} is beyond the data: the outermost levels are {levels[0]:g} and {levels[-1]:g}"
        )


def probability_below(value: float, levels: Floats, quantiles: Floats) -> Probability:
    """Return the probability of an outcome below `value`: the inverse of `quantile_at`.

    Where several levels have the same quantile, their outcome has a probability of its own, which is not below it.
    """
    return _probability(bisect_left(quantiles, value), value, levels, quantiles)


def probability_up_to(value: float, levels: Floats, quantiles: Floats) -> Probability:
    """Return the probability of an outcome of `value` or below."""
    return _probability(bisect_right(quantiles, value), value, levels, quantiles)


def _probability(position: int, value: float, levels: Floats, quantiles: Floats) -> Probability:
    """Return the probability of outcomes up to `value`, which lies before `position` in `quantiles`."""
    if position == 0:
        return Probability(float(levels[0]), "at_most")
    if position == len(quantiles):
        return Probability(float(levels[-1]), "at_least")
    (low, high), (start, end) = levels[position - 1 : position + 1], quantiles[position - 1 : position + 1]
    share = (value - start) / (end - start)
    middle = (1 - share) * _NORMAL.inv_cdf(low) + share * _NORMAL.inv_cdf(high)
    return Probability(float(np.clip(_NORMAL.cdf(middle), low, high)))


@lru_cache(maxsize=64)
def _normal_quantiles(levels: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(_NORMAL.inv_cdf, levels))
