"""The model versions in the registry, and the decisions about them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from zenith_core.names import Kind
from zenith_serving.problem_details import RESPONSES
from zenith_serving.registry import ModelRegistry
from zenith_serving.registry.version_listing import list_models, model_history
from zenith_serving.routes.dependencies import PREFIX, SideThreads, TickerPath
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.registry import History, Models, Status

router = APIRouter(prefix=PREFIX, tags=["registry"])


async def _registry(request: Request) -> ModelRegistry:
    registry: ModelRegistry = request.app.state.registry
    return registry


async def _threads(request: Request) -> SideThreads:
    threads: SideThreads = request.app.state.registry_threads
    return threads


RegistryDep = Annotated[ModelRegistry, Depends(_registry)]
ThreadsDep = Annotated[SideThreads, Depends(_threads)]


@router.get("/models", responses=RESPONSES)
async def models(
    registry: RegistryDep,
    threads: ThreadsDep,
    ticker: Ticker | None = None,
    model_type: Kind | None = None,
    status: Status | None = None,
) -> Models:
    """Every model version: its status, what it was made from, what it is worth, and the last decision about it."""
    return await threads.run(lambda: list_models(registry, ticker, model_type, status))


@router.get("/models/{ticker}/history", responses=RESPONSES)
async def history(ticker: TickerPath, registry: RegistryDep, threads: ThreadsDep) -> History:
    """Who or what decided which version answers, when and why, gate by gate."""
    return await threads.run(lambda: model_history(registry, ticker))
