"""The REST service: its routes and what surrounds them, over one Predictor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.concurrency import run_in_threadpool

from zenith_serving.limits import BodyLimit
from zenith_serving.predictor import make_predictor
from zenith_serving.problems import add_handlers
from zenith_serving.routes import batch, cache, disclaimer, health, predictions, refresh
from zenith_serving.settings import Settings
from zenith_serving.watcher import Watcher


def create_app(settings: Settings) -> FastAPI:
    """The service over ZENITH_HOME and the registry. Neither has to be there."""
    predictor = make_predictor(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        predictor.snapshots.check()
        watcher = Watcher([predictor.models.refresh, predictor.cache.check, predictor.snapshots.check])
        watcher.start()
        yield
        await run_in_threadpool(watcher.stop)

    app = FastAPI(title="Zenith", summary="Forecasts of stock prices and trading signals.", lifespan=lifespan)
    app.state.predictor = predictor
    for routes in (predictions, batch, cache, refresh, disclaimer, health):
        app.include_router(routes.router)
    app.add_middleware(BodyLimit)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"]
        )
    add_handlers(app)
    return app
