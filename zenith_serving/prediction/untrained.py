"""The answer for a ticker without a trained model: a band around the last close, and no signal."""

from zenith_core.forecasting.abstention import SignalDecision
from zenith_core.inference import QUANTILES
from zenith_core.model_kinds.table import known_task
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.risk.value_at_risk import price_quantile
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.prediction.served_model import Forecast, ServedModel, SignalForecast
from zenith_serving.schemas.predictions import PricePoint

_HOLD = SignalForecast(
    probabilities=None, fresh=SignalDecision("hold", "no_model"), stale=SignalDecision("hold", "no_model")
)


def without_model(name: str, snapshot: ServingSnapshot) -> ServedModel:
    """Return the answer under the name of the missing model: from the snapshot's distribution, without a version.

    Raises ValueError for a snapshot without a distribution.
    """
    if snapshot.distribution is None:
        raise ValueError(f"the snapshot of {snapshot.ticker} has no distribution")
    is_price = known_task(name.partition("-")[0]) == "price"
    result: Forecast = _points(snapshot, snapshot.distribution) if is_price else _HOLD
    return ServedModel(name, None, {"evidence": {}}, snapshot, snapshot, result)


def _points(snapshot: ServingSnapshot, distribution: ForecastDistribution) -> tuple[PricePoint, ...]:
    """Return the last close for each session, between the outermost of the served QUANTILES."""
    close, low, high = snapshot.close, QUANTILES[0], QUANTILES[-1]
    return tuple(
        PricePoint(
            day=day,
            date=session,
            price=round(close, 6),
            change_pct=0.0,
            lower=round(price_quantile(distribution, day, low, close), 6),
            upper=round(price_quantile(distribution, day, high, close), 6),
        )
        for day, session in enumerate(snapshot.next_sessions, 1)
    )
