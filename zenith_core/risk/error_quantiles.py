"""Quantiles of standardized moves: partly the ticker's own past, partly the other tickers'.

In the manner of conformal prediction: levels leave room for the next error, and older errors count less. Source:
Barber, Candes, Ramdas and Tibshirani (2023), Conformal Prediction Beyond Exchangeability.
"""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import Floats, Ints
from zenith_core.risk.forecast_distribution import LEVELS, TAILS

HALF_LIFE = 750  # sessions, three years
OTHERS = 1500  # sessions of an own history that count as much as all the others' errors: then half and half
LEAST_OWN = 40  # errors; with fewer the others' alone

_TAIL_LEVELS = [LEVELS.index(tail) for tail in TAILS]


@dataclass(frozen=True)
class ErrorQuantiles:
    """Quantiles at each horizon.

    moves:       (3, horizons, LEVELS) of returns, highs and lows, each / scale, non-decreasing
    shortfalls:  (horizons, TAILS) mean return / scale below the quantile
    """

    moves: Floats
    shortfalls: Floats


def error_quantiles(errors: Floats, ages: Floats | None = None) -> ErrorQuantiles:
    """Return quantiles of `errors` (3, n, horizons), NaN where not known; `ages` (n,) in sessions weight them.

    Raises ValueError if a horizon has no error.
    """
    weights = np.ones(errors.shape[1]) if ages is None else 0.5 ** (ages / HALF_LIFE)
    moves = np.array([[_quantiles(column, weights) for column in kind.T] for kind in errors])
    shortfalls = np.array(
        [_shortfalls(column, weights, row) for column, row in zip(errors[0].T, moves[0], strict=True)]
    )
    return ErrorQuantiles(moves, shortfalls)


def blend(errors: Floats, ages: Floats, others: ErrorQuantiles) -> ErrorQuantiles:
    """Return quantiles between the ticker's own, of `errors` (3, n, horizons), and those of the `others`.

    n own errors weigh n / (n + OTHERS), none below LEAST_OWN.
    """
    weight = own_share(int(np.isfinite(errors[0]).sum(axis=0).min()))
    if not weight:
        return others
    own = error_quantiles(errors, ages)
    return ErrorQuantiles(
        weight * own.moves + (1 - weight) * others.moves, weight * own.shortfalls + (1 - weight) * others.shortfalls
    )


def past_quantiles(
    errors: Floats, positions: Ints, horizon: int, rows: Ints, *, with_shortfalls: bool = False
) -> tuple[Floats, Floats]:
    """Return quantiles (rows, LEVELS) and shortfalls (rows, TAILS) of the errors that were known at each of `rows`.

    errors:     (n,) of returns, highs or lows over `horizon` sessions / scale, NaN where not known
    positions:  (n,) rows of their origins; each is known `horizon` sessions later

    For each row the same as `error_quantiles` of the errors known then, by age; sorted once for all rows. NaN where
    there is none, and in all shortfalls if they are not asked for.
    """
    quantiles, shortfalls = np.full((len(rows), len(LEVELS)), np.nan), np.full((len(rows), len(TAILS)), np.nan)
    order = np.argsort(errors, kind="stable")[: np.isfinite(errors).sum()]
    values, origins = errors[order], positions[order]
    weights = 0.5 ** ((positions.max(initial=0) - origins) / HALF_LIFE)
    for number, row in enumerate(rows):
        is_known = np.flatnonzero(origins <= row - horizon)
        if len(is_known):
            own, weight = values.take(is_known), weights.take(is_known)
            quantiles[number] = _sorted_quantiles(own, weight)
            if with_shortfalls:
                shortfalls[number] = _sorted_shortfalls(own, weight, quantiles[number])
    return quantiles, shortfalls


def own_share(count: int) -> float:
    """Return the weight of quantiles of `count` own errors beside the others': none below LEAST_OWN."""
    return count / (count + OTHERS) if count >= LEAST_OWN else 0.0


def _quantiles(values: Floats, weights: Floats) -> Floats:
    """Return quantiles at LEVELS of weighted `values` (n,), NaN where not known."""
    is_known = np.isfinite(values)
    if not is_known.any():
        raise ValueError("there is no error to take quantiles of")
    order = np.argsort(values[is_known])
    return _sorted_quantiles(values[is_known][order], weights[is_known][order])


def _sorted_quantiles(values: Floats, weights: Floats) -> Floats:
    """Return quantiles at LEVELS of increasing `values` (n,); the next has the largest weight, half on either side."""
    coming = weights.max()
    total = np.cumsum(weights)
    cumulative = (total - weights / 2 + coming / 2) / (total[-1] + coming)
    return np.asarray(np.interp(LEVELS, cumulative, values), dtype=np.float64)


def _shortfalls(values: Floats, weights: Floats, quantiles: Floats) -> Floats:
    order = np.argsort(values)[: np.isfinite(values).sum()]
    return _sorted_shortfalls(values[order], weights[order], quantiles)


def _sorted_shortfalls(values: Floats, weights: Floats, quantiles: Floats) -> Floats:
    """Return the weighted mean of increasing `values` up to the quantile of each of TAILS; that if there is none."""
    limits = quantiles[_TAIL_LEVELS]
    counts = np.searchsorted(values, limits, side="right")
    return np.array(
        [
            float(values[:count] @ weights[:count] / weights[:count].sum()) if count else float(limit)
            for count, limit in zip(counts, limits, strict=True)
        ]
    )
