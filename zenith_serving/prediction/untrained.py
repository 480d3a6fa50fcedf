"""The answer for a ticker without a trained model: a band around the last close, and no signal."""

import numpy as np

from zenith_core.forecasting.abstention import SignalDecision
from zenith_core.inference import QUANTILES, PriceForecast
from zenith_core.model_kinds.table import known_task
from zenith_core.risk.value_at_risk import price_quantiles
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.prediction.served_model import Forecast, ServedModel, SignalForecast, price_points

_HOLD = SignalForecast(
    probabilities=None, fresh=SignalDecision("hold", "no_model"), stale=SignalDecision("hold", "no_model")
)


def without_model(name: str, snapshot: ServingSnapshot) -> ServedModel:
    """Return the answer under the name of the missing model: from the snapshot's distribution, without a version.

    Raises ValueError for a snapshot without a distribution.
    """
    distribution = snapshot.distribution
    if distribution is None:
        raise ValueError(f"the snapshot of {snapshot.ticker} has no distribution")
    result: Forecast = _HOLD
    if known_task(name.partition("-")[0]) == "price":
        unchanged = np.full(distribution.horizons, snapshot.close)
        result = price_points(
            snapshot, PriceForecast(unchanged, price_quantiles(distribution, QUANTILES, snapshot.close))
        )
    return ServedModel(name, None, {"evidence": {}}, snapshot, snapshot, result, distribution)
