"""The model versions in the registry, and the decisions about them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from zenith_core.names import Kind
from zenith_serving.problem_details import RESPONSES
from zenith_serving.registry.catalogue import Catalogue
from zenith_serving.registry.version_listing import list_models, model_history
from zenith_serving.routes.dependencies import PREFIX, SideThreads, TickerPath
from zenith_serving.schemas.predictions import Ticker
from zenith_serving.schemas.registry import History, Models, Status

router = APIRouter(prefix=PREFIX, tags=["registry"])


async def _catalogue(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


async def _threads(request: Request) -> SideThreads:
    threads: SideThreads = request.app.state.registry_threads
    return threads


CatalogueDep = Annotated[Catalogue, Depends(_catalogue)]
ThreadsDep = Annotated[SideThreads, Depends(_threads)]


@router.get("/models", responses=RESPONSES)
async def models(
    catalogue: CatalogueDep,
    threads: ThreadsDep,
    ticker: Ticker | None = None,
    model_type: Kind | None = None,
    status: Status | None = None,
) -> Models:
    """Every model version: its status, what it was made from, what it is worth, and the last decision about it."""
    return await threads.run(lambda: list_models(catalogue, ticker, model_type, status))


@router.get("/models/{ticker}/history", responses=RESPONSES)
async def history(ticker: TickerPath, catalogue: CatalogueDep, threads: ThreadsDep) -> History:
    """Who or what decided which version answers, when and why, gate by gate."""
    return await threads.run(lambda: model_history(catalogue, ticker))
