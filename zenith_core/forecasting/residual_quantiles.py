"""Forecast quantiles from the empirical distribution of standardized out-of-sample residuals."""

from collections.abc import Sequence

import numpy as np

from zenith_core.arrays import AnyFloats, AnyInts, Floats
from zenith_core.errors import TrainingError
from zenith_core.features.targets import root_horizons
from zenith_core.inference import QUANTILES

MIN_RESIDUALS = 40  # with fewer, a 5 % quantile depends on one or two values
HALF_LIFE = 750  # sessions, three years: the shape of returns changes slowly, but it changes


def residual_quantiles(residuals: AnyFloats, ages: AnyInts, levels: Sequence[float] = QUANTILES) -> Floats:
    """Return quantiles of each horizon's residuals: (n, horizons) → (horizons, len(levels)), in their units.

    ages:  (n,) sessions since each forecast was made; a residual counts half as much after HALF_LIFE of them

    A residual that is NaN is not known (yet) and is left out. The levels leave room for the next residual, as in
    conformal prediction. The outermost quantiles are moved to 0 if they lie beyond it, so that an interval always
    contains its point forecast. Raises TrainingError if a horizon has fewer than MIN_RESIDUALS.
    Source: Barber, Candes, Ramdas and Tibshirani (2023), Conformal Prediction Beyond Exchangeability.
    """
    is_known = np.isfinite(residuals)
    counts = is_known.sum(axis=0)
    if counts.min() < MIN_RESIDUALS:
        horizon = int(counts.argmin()) + 1
        raise TrainingError(
            f"{counts.min()} out-of-sample residuals at horizon {horizon}: intervals need at least {MIN_RESIDUALS}"
        )
    weights = 0.5 ** (ages / HALF_LIFE)
    columns = zip(residuals.T, is_known.T, strict=True)
    quantiles = np.array([_quantiles(column[mask], weights[mask], levels) for column, mask in columns])
    quantiles[:, 0] = np.minimum(quantiles[:, 0], 0.0)
    quantiles[:, -1] = np.maximum(quantiles[:, -1], 0.0)
    return quantiles


def _quantiles(values: AnyFloats, weights: Floats, levels: Sequence[float]) -> Floats:
    """Return quantiles of weighted `values` (n,); the next one has the largest weight, half on either side.

    With equal weights the k-th of n is the quantile of level k / (n + 1).
    """
    order = np.argsort(values)
    own, to_come = weights[order], weights.max()
    cumulative = (np.cumsum(own) - own / 2 + to_come / 2) / (own.sum() + to_come)
    quantiles: Floats = np.interp(levels, cumulative, values[order])
    return quantiles


def price_forecasts(scores: AnyFloats, close: AnyFloats, volatility: AnyFloats) -> Floats:
    """Return prices from forecasts in units of volatility: close * exp(score_h * volatility * sqrt(h)).

    `scores` (n, horizons), `close` and `volatility` (n,) → (n, horizons), in the currency of the close.
    """
    growth = scores * volatility[:, np.newaxis] * root_horizons(scores.shape[1])
    return np.asarray(close[:, np.newaxis] * np.exp(growth), dtype=np.float64)


def matured_values(values: AnyFloats, origins: AnyInts, now: int) -> Floats:
    """Return `values` (n, horizons) of forecasts made at `origins` (n,), NaN where the target is after `now`.

    `origins` and `now` count sessions; origin t at horizon h matures at t + h. The other values are known at the close
    of session `now`.
    """
    arrival = origins[:, np.newaxis] + np.arange(1, values.shape[1] + 1)
    return np.where(arrival <= now, values, np.nan)
