"""Calibrated bands: the scale of each horizon, and quantiles of past forecast errors in units of that scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, Floats, Ints
from zenith_core.forecasting.residual_quantiles import matured_values, residual_quantiles
from zenith_core.forecasting.volatility_term_structure import fit_scale, scale_inputs, stretch, walk_forward_stretch


@dataclass(frozen=True)
class Band:
    """The distribution of forecast errors as known at some session.

    coefficients:  (inputs, horizons) of the scale, see `volatility_term_structure`
    quantiles:     (horizons, levels) of errors in units of that scale
    """

    coefficients: Floats
    quantiles: Floats


class OutOfSampleScores:
    """Forecasts of all folds, oldest first: `values` (sessions, horizons) in units of volatility.

    0 where there is none: before the first model, the forecast is "no change".
    """

    def __init__(self, sessions: int, horizons: int) -> None:
        self.values = np.zeros((sessions, horizons))
        self._made = np.zeros(sessions, dtype=bool)

    def keep(self, rows: Ints, scores: Floats) -> None:
        """Add forecasts (m, horizons) from `rows` (m,); forecasts of earlier folds are not replaced.

        So the test rows of an earlier fold take precedence over validation rows of a later one, which chose its epoch.
        """
        new = ~self._made[rows]
        self.values[rows[new]] = scores[new]
        self._made[rows] = True

    @property
    def rows(self) -> Ints:
        """Return the origins with a forecast, ascending."""
        return np.flatnonzero(self._made)


class BandCalibrator:
    """Calibrate bands from the history of one ticker.

    values, columns:  (n, columns) model inputs and their names
    volatility:       (n,) daily EWMA volatility, a fraction
    targets:          (n, horizons) standardized returns, NaN where not known
    rows:             (m,) consecutive forecast origins
    """

    def __init__(
        self,
        values: AnyFloats,
        columns: Sequence[str],
        volatility: AnyFloats,
        targets: Floats,
        rows: Ints,
    ) -> None:
        self._x = scale_inputs(values, columns, volatility)
        self._rows, self._targets = rows, targets[rows]
        self._stretch = walk_forward_stretch(self._x[rows], self._targets, rows)

    def band_at(self, now: int, scores: Floats) -> Band:
        """Return the band known at the close of session `now`.

        `scores` (n, horizons) are the `OutOfSampleScores`. Errors are in units of the scale known when they
        were made. Raises TrainingError if there are too few.
        """
        errors = matured_values((self._targets - scores[self._rows]) / self._stretch, self._rows, now)
        past = self._rows <= now
        quantiles = residual_quantiles(errors[past], now - self._rows[past])
        targets = matured_values(self._targets[past], self._rows[past], now)
        return Band(fit_scale(self._x[self._rows[past]], targets), quantiles)

    def offsets(self, band: Band, rows: Ints) -> Floats:
        """Quantiles from `rows` (m,) relative to the forecasts, in units of volatility: (m, horizons, levels)."""
        return stretch(self._x[rows], band.coefficients)[..., np.newaxis] * band.quantiles
