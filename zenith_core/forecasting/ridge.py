"""A linear forecast of all horizons from the newest row of features, by ridge regression in closed form."""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, Floats

PENALTY = 1.0
"""Per training row: along a direction in which standardized features have unit variance, it halves the slope."""


@dataclass(frozen=True)
class LinearForecast:
    """forecast = (features - mean) @ weights; `mean` (features,), `weights` (features, horizons)."""

    mean: Floats
    weights: Floats

    def predict(self, values: AnyFloats) -> Floats:
        """Return forecasts (n, horizons) in the targets' units from `values` (n, features)."""
        forecasts: Floats = (np.asarray(values, dtype=np.float64) - self.mean) @ self.weights
        return forecasts

    def shrunk(self, factors: AnyFloats | float) -> "LinearForecast":
        """Return the model whose forecasts are `factors` times these; `factors` is (horizons,) or one for all."""
        return LinearForecast(self.mean, self.weights * factors)


def fit_linear(values: AnyFloats, targets: AnyFloats, penalty: float = PENALTY) -> LinearForecast:
    """Ridge regression of `targets` (n, horizons) on standardized `values` (n, features), both finite.

    There is no intercept: average features forecast no change, so that drift does not count as skill.
    A constant column gets no weight. Source: Hoerl and Kennard (1970), Ridge Regression.
    """
    mean, deviation = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6), deviation, np.inf)
    inputs = (values - mean) / scale
    power = inputs.T @ inputs + penalty * len(values) * np.eye(len(mean))
    slopes = np.linalg.solve(power, inputs.T @ np.asarray(targets, dtype=np.float64))
    return LinearForecast(mean, slopes / scale[:, np.newaxis])
