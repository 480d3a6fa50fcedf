"""The state of the service. It touches memory only, so no prediction can hold it up."""

from fastapi import APIRouter

from zenith_serving.routes.dependencies import PredictorDep
from zenith_serving.schemas.predictions import Health

router = APIRouter(tags=["operations"])


@router.get("/health")
async def health(predictor: PredictorDep) -> Health:
    """Live if it answers at all; `ready` and the rest say what it can answer."""
    models, cache = predictor.models.state(), predictor.cache.state()
    snapshots = predictor.snapshots.state()
    away = [one for one in (models["registry"], cache) if one["state"] != "ok"]
    return Health(
        status="degraded" if away or models["models"]["problems"] else "ok",
        ready=snapshots["tickers"] > 0,
        registry=models["registry"],
        models=models["models"],
        cache=cache,
        snapshots=snapshots,
    )
