"""The state of the service, for people and load balancers, and for Prometheus."""

from typing import Any

from fastapi import APIRouter, Response

from zenith_serving.observability.metrics import CONTENT_TYPE
from zenith_serving.routes.dependencies import MetricsDep, PredictorDep
from zenith_serving.schemas.predictions import Health

router = APIRouter(tags=["operations"])


class MetricsText(Response):
    """Prometheus' text format."""

    media_type = CONTENT_TYPE


@router.get("/health")
async def health(predictor: PredictorDep) -> Health:
    """Report that the service is live; `ready` and the rest say which answers it can give."""
    # Memory alone, so that no prediction delays it.
    models, cache = predictor.models.state(), predictor.cache.state()
    snapshots = predictor.snapshots.state()
    parts = (models["registry"], cache, snapshots)
    is_degraded = models["models"]["problems"] or any(part["state"] != "ok" for part in parts)
    return Health(
        status="degraded" if is_degraded else "ok",
        ready=snapshots["tickers"] > 0,
        hint=_hint(snapshots["tickers"], models),
        registry=models["registry"],
        models=models["models"],
        cache=cache,
        snapshots=snapshots,
    )


def _hint(tickers: int, models: dict[str, Any]) -> str | None:
    registry = models["registry"]
    if registry["state"] != "ok" or registry["last_look_seconds"] is None:
        return None
    if not tickers:
        return "no ticker has data yet: `zenith run` fetches prices and trains the models"
    return None if models["models"]["production"] else "no model is in Production yet: `zenith run` trains the models"


@router.get("/metrics", response_class=MetricsText)
def metrics(counters: MetricsDep) -> MetricsText:
    """Requests, predictions, models and the age of the data, for Prometheus."""
    # In a thread: it may read snapshots, and the files of other workers.
    return MetricsText(counters.text())
