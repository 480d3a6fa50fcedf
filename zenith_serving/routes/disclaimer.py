"""What a prediction is not."""

from fastapi import APIRouter

from zenith_core.disclaimer import DISCLAIMER
from zenith_serving.routes.dependencies import PREFIX
from zenith_serving.schemas.predictions import Disclaimer

router = APIRouter(prefix=PREFIX, tags=["predictions"])


@router.get("/disclaimer")
async def disclaimer() -> Disclaimer:
    """What a prediction is not."""
    return Disclaimer(disclaimer=DISCLAIMER)
