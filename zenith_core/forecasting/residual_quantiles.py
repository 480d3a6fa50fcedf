"""Forecast quantiles from the empirical distribution of standardized out-of-sample residuals."""

from collections.abc import Sequence

import numpy as np

from zenith_core.arrays import AnyFloats, AnyInts, Floats
from zenith_core.errors import TrainingError
from zenith_core.features.targets import root_horizons
from zenith_core.inference import QUANTILES

MIN_RESIDUALS = 40  # below it a 5 % quantile rests on one or two values
HALF_LIFE = 750  # sessions, three years: the shape of returns changes slowly, but it changes


def residual_quantiles(residuals: AnyFloats, ages: AnyInts, levels: Sequence[float] = QUANTILES) -> Floats:
    """Quantiles of each horizon's residuals: (n, horizons) → (horizons, len(levels)), in the residuals' units.

    ages:  (n,) sessions since each forecast was made; a residual counts half as much after HALF_LIFE of them

    NaN is a residual not known (yet) and is left out. The levels leave room for the residual to come, as conformal
    prediction does. The outermost quantiles are moved to 0 if they lie on its far side, so that an interval always
    holds its point forecast. Raises TrainingError if a horizon has fewer than MIN_RESIDUALS.
    Source: Barber, Candes, Ramdas and Tibshirani (2023), Conformal Prediction Beyond Exchangeability.
    """
    known = np.isfinite(residuals)
    counts = known.sum(axis=0)
    if counts.min() < MIN_RESIDUALS:
        horizon = int(counts.argmin()) + 1
        raise TrainingError(
            f"{counts.min()} out-of-sample residuals at horizon {horizon}: intervals need at least {MIN_RESIDUALS}"
        )
    weights = 0.5 ** (ages / HALF_LIFE)
    columns = zip(residuals.T, known.T, strict=True)
    quantiles = np.array([_quantiles(column[had], weights[had], levels) for column, had in columns])
    quantiles[:, 0] = np.minimum(quantiles[:, 0], 0.0)
    quantiles[:, -1] = np.maximum(quantiles[:, -1], 0.0)
    return quantiles


def _quantiles(values: AnyFloats, weights: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles of weighted `values` (n,); the one to come weighs as the heaviest, half on either side.

    With equal weights the k-th of n is the quantile of level k / (n + 1).
    """
    order = np.argsort(values)
    own, to_come = weights[order], weights.max()
    reached = (np.cumsum(own) - own / 2 + to_come / 2) / (own.sum() + to_come)
    quantiles: Floats = np.interp(levels, reached, values[order])
    return quantiles


def price_forecasts(scores: AnyFloats, close: AnyFloats, volatility: AnyFloats) -> Floats:
    """Prices from forecasts in units of volatility: close * exp(score_h * volatility * sqrt(h)).

    `scores` (n, horizons), `close` and `volatility` (n,) → (n, horizons), in the currency of the close.
    """
    growth = scores * volatility[:, np.newaxis] * root_horizons(scores.shape[1])
    return np.asarray(close[:, np.newaxis] * np.exp(growth), dtype=np.float64)


def matured_values(residuals: AnyFloats, origins: AnyInts, now: int) -> Floats:
    """The residuals (n, horizons) of forecasts made at `origins` (n,), NaN where the target came after `now`.

    `origins` and `now` count sessions; the target of origin t at horizon h comes at t + h. What is left is what
    a forecaster at the close of session `now` could have known.
    """
    arrival = origins[:, np.newaxis] + np.arange(1, residuals.shape[1] + 1)
    return np.where(arrival <= now, residuals, np.nan)
