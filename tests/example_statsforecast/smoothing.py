"""Two price models in a package of its own: AutoETS and Theta of statsforecast.

Both smooth the price in units of its volatility: the sum of the feature return_1. Their forecasts are linear in the
returns of the window, so that the served model is one matrix, and serving needs no statsforecast.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from pydantic import Field

from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import root_horizons
from zenith_core.forecasting.residual_quantiles import residual_quantiles
from zenith_core.inference import HORIZONS
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import ModelOptions
from zenith_pipelines.models.quantile_study import MEDIAN, train_quantiles

RETURN = FEATURES.index("return_1")
AHEAD = np.arange(1, HORIZONS + 1)


class Options(ModelOptions):
    """The configuration of both models."""

    window: int = Field(default=60, ge=10, le=120, description="Sessions that the model smooths, 10 to 120.")


ETS = ModelKind(
    name="ets",
    task="price",
    title="ETS",
    description="Exponential smoothing whose form AutoETS chooses, 1 to 30 sessions ahead.",
    trainer="smoothing:train_ets",
    options=Options,
    work=2.0,
    libraries=frozenset({"statsforecast"}),
)
THETA = ModelKind(
    name="theta",
    task="price",
    title="Theta",
    description="The Theta method of statsforecast, 1 to 30 sessions ahead.",
    trainer="smoothing:train_theta",
    options=Options,
    work=2.0,
    libraries=frozenset({"statsforecast"}),
)


@dataclass(frozen=True)
class Smoother:
    """Parameters of additive smoothing, and the drift that Theta adds for each session. `trend` is that of the end."""

    alpha: float
    beta: float = 0.0
    phi: float = 1.0
    trend: float = 0.0
    drift: float = 0.0

    def path(self, returns):
        """Return the expected change of the price (n, HORIZONS) after returns (n, window)."""
        price, level, trend = 0.0, 0.0, np.full(len(returns), self.trend)
        for step in returns.T:
            price = price + step
            error = price - level - self.phi * trend
            level, trend = level + self.phi * trend + self.alpha * error, self.phi * trend + self.beta * error
        trends = trend[:, np.newaxis] * np.cumsum(self.phi**AHEAD)
        return (level - price)[:, np.newaxis] + trends + self.drift * (AHEAD - 1 + 1 / self.alpha)


def fit_ets(series):
    """Return the smoother that AutoETS chooses: no, a constant or a damped trend, additive errors."""
    from statsforecast.models import AutoETS

    fitted = AutoETS(season_length=1, model="AZN").fit(series).model_
    alpha, beta, _, phi = np.nan_to_num(fitted["par"][:4])
    states = fitted["states"][-1]
    if len(states) == 1:
        return Smoother(alpha)
    return Smoother(alpha, beta, phi if fitted["components"][3] == "D" else 1.0, states[1])


def fit_theta(series):
    """Return the smoother of the Theta method with two lines: the level, and half of the series' slope."""
    from statsforecast.models import Theta

    fitted = Theta(season_length=1).fit(series).model_
    slope = fitted["states"][-1, 3]
    return Smoother(fitted["par"]["alpha"], drift=(1 - 1 / fitted["par"]["theta"]) * slope)


class Smoothing:
    """A smoother as a matrix, with the band of its own past errors."""

    def __init__(self, fit, windows, targets):
        smoother = fit(np.cumsum(windows[:, -1, RETURN], dtype=np.float64))
        length = windows.shape[1]
        response = smoother.path(np.vstack([np.zeros(length), np.eye(length)])) / root_horizons(HORIZONS)
        self.constant, self.kernel = response[0], response[1:] - response[0]  # (HORIZONS,), (window, HORIZONS)
        errors = targets - self.scores(windows)
        offsets = residual_quantiles(errors, np.arange(len(errors))[::-1])
        self.offsets = offsets - offsets[:, [MEDIAN]]  # the smoother's forecast is the median

    def scores(self, windows):
        """Return forecasts (n, HORIZONS) in units of volatility."""
        return windows[..., RETURN] @ self.kernel + self.constant

    def quantiles(self, windows):
        """Return the quantiles (n, HORIZONS, levels)."""
        return self.scores(windows)[..., np.newaxis] + self.offsets

    def nodes(self):
        """Return the same in ONNX."""
        from onnx.helper import make_node

        nodes = [
            make_node("Gather", ["window", "return"], ["returns"], axis=2),
            make_node("Gemm", ["returns", "kernel", "constant"], ["forecast"]),
            make_node("Unsqueeze", ["forecast", "last_axis"], ["forecast_cube"]),
            make_node("Add", ["forecast_cube", "offsets"], ["scores"]),
        ]
        return nodes, {
            "return": np.array(RETURN),
            "kernel": self.kernel,
            "constant": self.constant,
            "last_axis": np.array([2]),
            "offsets": self.offsets,
        }


def _train(kind, fit, data, options, on_progress):
    return train_quantiles(kind.name, data, options, options.window, partial(Smoothing, fit), on_progress)


train_ets = partial(_train, ETS, fit_ets)
train_theta = partial(_train, THETA, fit_theta)
