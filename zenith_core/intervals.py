"""Forecast quantiles from the empirical distribution of standardized out-of-sample residuals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zenith_core.errors import TrainingError
from zenith_core.inference import QUANTILES
from zenith_core.targets import root_horizons

MIN_RESIDUALS = 40  # below it a 5 % quantile rests on one or two values


def residual_quantiles(residuals: NDArray[np.floating], levels: Sequence[float] = QUANTILES) -> NDArray[np.float64]:
    """Quantiles of each horizon's residuals: (n, horizons) → (horizons, len(levels)), in the residuals' units.

    NaN is a residual not known (yet) and is left out. The outermost quantiles are moved to 0 if they lie on
    its far side, so that an interval always holds its point forecast. Raises TrainingError if a horizon has
    fewer than MIN_RESIDUALS.
    """
    known = np.isfinite(residuals).sum(axis=0)
    if known.min() < MIN_RESIDUALS:
        horizon = int(known.argmin()) + 1
        raise TrainingError(
            f"{known.min()} out-of-sample residuals at horizon {horizon}: intervals need at least {MIN_RESIDUALS}"
        )
    quantiles: NDArray[np.float64] = np.nanquantile(residuals, levels, axis=0).T
    quantiles[:, 0] = np.minimum(quantiles[:, 0], 0.0)
    quantiles[:, -1] = np.maximum(quantiles[:, -1], 0.0)
    return quantiles


def price_forecasts(
    scores: NDArray[np.floating], close: NDArray[np.floating], volatility: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Prices from forecasts in units of volatility: close * exp(score_h * volatility * sqrt(h)).

    `scores` (n, horizons), `close` and `volatility` (n,) → (n, horizons), in the currency of the close.
    """
    growth = scores * volatility[:, np.newaxis] * root_horizons(scores.shape[1])
    return np.asarray(close[:, np.newaxis] * np.exp(growth), dtype=np.float64)


def realised_before(residuals: NDArray[np.floating], origins: NDArray[np.integer], now: int) -> NDArray[np.float64]:
    """The residuals (n, horizons) of forecasts made at `origins` (n,), NaN where the target came after `now`.

    `origins` and `now` count sessions; the target of origin t at horizon h comes at t + h. What is left is what
    a forecaster at the close of session `now` could have known.
    """
    arrival = origins[:, np.newaxis] + np.arange(1, residuals.shape[1] + 1)
    return np.where(arrival <= now, residuals, np.nan)
