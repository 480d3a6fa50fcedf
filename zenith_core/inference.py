"""The contract between training and serving: the inputs and outputs of a served model.

A price model is ONNX with the inputs `window` (n, sessions, features), `close` (n,), `volatility` (n,)
and the outputs `price` (n, HORIZONS) and `quantiles` (n, HORIZONS, len(QUANTILES)), in the currency of
the close. A signal model is ONNX with the input `features` (n, features) and the output `probabilities`
(n, 3), ordered as SIGNALS. All tensors are float32. Scaling, cumulation and calibration are inside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zenith_core.arrays import Floats, Floats32
from zenith_core.model_kinds.options import DEFAULT_WINDOW
from zenith_core.names import HORIZONS, SIGNALS
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.risk.value_at_risk import price_quantiles
from zenith_core.snapshot import ServingSnapshot

__all__ = [
    "HORIZONS",
    "METADATA_KEY",
    "QUANTILES",
    "SIGNALS",
    "PriceForecast",
    "RunModel",
    "forecast_points",
    "forecast_prices",
    "in_served_bands",
    "signal_probabilities",
]

QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
METADATA_KEY = "zenith"  # the ONNX metadata entry with the facts of the model, as JSON

RunModel = Callable[[Sequence[str], Mapping[str, Floats32]], Sequence[Any]]
"""`onnxruntime.InferenceSession.run`, or a function with the same signature."""


@dataclass(frozen=True)
class PriceForecast:
    """Forecasts from one origin: `price` (horizons,) and `quantiles` (horizons, len(QUANTILES)), in currency."""

    price: Floats32 | Floats
    quantiles: Floats32 | Floats

    @property
    def lower(self) -> Floats32 | Floats:
        """Lower end of the 90 % interval, (horizons,)."""
        return self.quantiles[:, 0]

    @property
    def upper(self) -> Floats32 | Floats:
        """Upper end of the 90 % interval, (horizons,)."""
        return self.quantiles[:, -1]


def forecast_prices(run: RunModel, snapshot: ServingSnapshot, window: int = DEFAULT_WINDOW) -> PriceForecast:
    """Forecast all horizons from the snapshot's origin with a price model that sees `window` sessions."""
    price, quantiles = run(["price", "quantiles"], snapshot.price_inputs(window))
    return PriceForecast(price=price[0], quantiles=quantiles[0])


def in_served_bands(forecast: PriceForecast, distribution: ForecastDistribution | None, close: float) -> PriceForecast:
    """Return the forecast with the quantiles that are served: of the distribution around the last `close`.

    Without a distribution they stay the model's own.
    """
    if distribution is None:
        return forecast
    return replace(forecast, quantiles=price_quantiles(distribution, QUANTILES, close))


def forecast_points(snapshot: ServingSnapshot, forecast: PriceForecast) -> list[dict[str, Any]]:
    """Return a forecast from a snapshot as one point for each session: day, date, price, change_pct, lower, upper."""
    prices, lower, upper = (values.tolist() for values in (forecast.price, forecast.lower, forecast.upper))
    return [
        {
            "day": day + 1,
            "date": session,
            "price": round(prices[day], 6),
            "change_pct": round(100 * (prices[day] / snapshot.close - 1), 4),
            "lower": round(lower[day], 6),
            "upper": round(upper[day], 6),
        }
        for day, session in enumerate(snapshot.next_sessions)
    ]


def signal_probabilities(run: RunModel, snapshot: ServingSnapshot) -> dict[str, float]:
    """Return the probability of each of SIGNALS at the snapshot's origin, from a signal model."""
    (probabilities,) = run(["probabilities"], {"features": snapshot.window[-1:]})
    return {name: float(value) for name, value in zip(SIGNALS, probabilities[0], strict=True)}
