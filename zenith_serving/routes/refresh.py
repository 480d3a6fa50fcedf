"""A webhook for whoever promotes: look at the registry now instead of within two seconds."""

from fastapi import APIRouter, Depends

from zenith_serving.errors import RegistryUnavailable
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.dependencies import PREFIX, PredictorDep
from zenith_serving.schemas.predictions import Refreshed
from zenith_serving.security.authentication import require_key

router = APIRouter(prefix=PREFIX, tags=["models"])


@router.post("/models/refresh", responses=RESPONSES, dependencies=[Depends(require_key)])
def refresh_models(predictor: PredictorDep) -> Refreshed:
    """Follow every moved alias. When this is answered, this process answers from the new versions; others look by
    themselves every two seconds.
    """
    predictor.models.refresh()
    state = predictor.models.state()
    if state["registry"]["detail"]:
        raise RegistryUnavailable(state["registry"]["detail"])
    return Refreshed(**state["models"])
