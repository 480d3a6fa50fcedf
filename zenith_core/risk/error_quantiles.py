"""Quantiles of standardized moves: partly the ticker's own past, partly the other tickers'.

In the manner of conformal prediction: levels leave room for the next error, and older errors count less. Source:
Barber, Candes, Ramdas and Tibshirani (2023), Conformal Prediction Beyond Exchangeability.
"""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import Floats
from zenith_core.risk.forecast_distribution import LEVELS, TAILS

HALF_LIFE = 750  # sessions, three years
OTHERS = 1500  # sessions of an own history that count as much as all the others' errors: then half and half
LEAST_OWN = 40  # errors; with fewer the others' alone


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
    count = int(np.isfinite(errors[0]).sum(axis=0).min())
    if count < LEAST_OWN:
        return others
    own, weight = error_quantiles(errors, ages), count / (count + OTHERS)
    return ErrorQuantiles(
        weight * own.moves + (1 - weight) * others.moves, weight * own.shortfalls + (1 - weight) * others.shortfalls
    )


def _quantiles(values: Floats, weights: Floats) -> Floats:
    """Return quantiles at LEVELS of weighted `values` (n,); the next has the largest weight, half on either side."""
    is_known = np.isfinite(values)
    if not is_known.any():
        raise ValueError("there is no error to take quantiles of")
    order = np.argsort(values[is_known])
    weight = weights[is_known][order]
    coming = weight.max()
    cumulative = (np.cumsum(weight) - weight / 2 + coming / 2) / (weight.sum() + coming)
    return np.asarray(np.interp(LEVELS, cumulative, values[is_known][order]), dtype=np.float64)


def _shortfalls(values: Floats, weights: Floats, quantiles: Floats) -> Floats:
    """Return the weighted mean of `values` at or below the quantile of each of TAILS; the quantile if there is none."""
    limits = np.interp(TAILS, LEVELS, quantiles)
    below = [values <= limit for limit in limits]
    return np.array(
        [
            float(np.average(values[mask], weights=weights[mask])) if mask.any() else float(limit)
            for mask, limit in zip(below, limits, strict=True)
        ]
    )
