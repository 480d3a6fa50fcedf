"""Build the FastAPI application: routes and middleware over one Predictor."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute

from zenith_core.errors import UserError
from zenith_core.names import UNIVERSE
from zenith_serving.background import POLL_SECONDS, Watcher
from zenith_serving.jobs.dagster_client import DagsterAPI
from zenith_serving.jobs.launcher import Launcher
from zenith_serving.observability.logs import QUIET_PATHS, RequestLog
from zenith_serving.observability.metrics import Metrics
from zenith_serving.openapi import document_refusals
from zenith_serving.portfolio.universe_store import UniverseStore
from zenith_serving.prediction.predictor import make_predictor
from zenith_serving.problem_details import add_handlers
from zenith_serving.published.snapshot_store import LEDGER
from zenith_serving.registry import open_registry
from zenith_serving.request_id import RequestObserver
from zenith_serving.routes import (
    cache,
    forecasts,
    jobs,
    leaderboard,
    models,
    operations,
    page,
    predictions,
    tickers,
    track_record,
    universe,
)
from zenith_serving.routes.dependencies import PREFIX, BoundedThreads
from zenith_serving.security.authentication import KEY_HEADER, ReadKeys, open_keys
from zenith_serving.security.body_limit import BodyLimit
from zenith_serving.security.rate_limit import Counts, RateLimit, open_counts
from zenith_serving.settings import Settings, version

# No credentials: the page sends its key in a header.
_CORS: dict[str, Any] = {
    "allow_methods": ("GET", "POST", "DELETE"),
    "allow_headers": ("Authorization", "Content-Type", KEY_HEADER, "X-Request-ID"),
    "expose_headers": ("ETag", "X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy"),
    "allow_credentials": False,
}

# Spans go to OTEL_EXPORTER_OTLP_ENDPOINT; without it, OpenTelemetry's SDK is not imported. FastAPI's own logs would
# hold clients' input, and /metrics has the counts.
_TELEMETRY: TelemetryConfig = {
    "auto_configure": True,
    "operation_spans": False,
    "metrics": False,
    "logs": False,
    "exclude": lambda scope: scope["path"] in QUIET_PATHS,
}

ROUTES = (predictions, universe, forecasts, tickers, track_record, leaderboard, models, jobs, cache, operations, page)


def create_app(
    settings: Settings, request_log: RequestLog | None = None, poll_seconds: float = POLL_SECONDS
) -> FastAPI:
    """Return the service over ZENITH_HOME and the registry. Neither needs to exist yet."""
    predictor = make_predictor(settings)
    dagster = DagsterAPI(settings.dagster_url, settings.dagster_public_url)
    metrics = Metrics(predictor)
    predictor.on_answer = metrics.prediction
    universe_store = UniverseStore(settings.facts(UNIVERSE))
    counts = open_counts(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        predictor.snapshots.check()
        # Two threads: a registry that hangs must not delay the look at files and cache.
        watchers = (
            Watcher([predictor.refresh], poll_seconds),
            Watcher(
                [
                    predictor.cache.check,
                    predictor.snapshots.check,
                    predictor.universe.check,
                    universe_store.check,
                    metrics.check,
                ],
                poll_seconds,
            ),
        )
        for watcher in watchers:
            watcher.start()
        yield
        for watcher in watchers:
            await run_in_threadpool(watcher.stop)
        if counts:
            await counts.close()
        dagster.close()

    app = FastAPI(
        title="Zenith",
        version=version(),
        summary="Forecasts of stock prices and trading signals.",
        lifespan=lifespan,
        telemetry=_TELEMETRY,
        docs_url=None,  # FastAPI's own loads scripts from the internet: routes/page.py
        redoc_url=None,
        redirect_slashes=False,  # DELETE /cache/ without a ticker must not become DELETE /cache
    )
    app.state.predictor, app.state.settings, app.state.metrics = predictor, settings, metrics
    app.state.keys = open_keys(settings)
    app.state.registry, app.state.registry_threads = open_registry(settings.tracking_uri), BoundedThreads(4)
    app.state.launcher, app.state.dagster_threads = Launcher(settings, dagster, PREFIX), BoundedThreads(8)
    app.state.ledgers = predictor.snapshots.reader(LEDGER)
    app.state.universe_store = universe_store
    app.state.universe = predictor.universe
    # Not include_router: FastAPI's matching of nested routers takes as long as a cached answer. Routes are matched in
    # this order, before FastAPI's own.
    app.router.routes[:0] = [_with_operation_id(route) for module in ROUTES for route in module.router.routes]
    app.router.routes.extend(_head_routes(app.router.routes))
    app.mount("/page", page.files)
    app.mount("/docs/assets", page.swagger_ui)
    surround(app, settings, counts, request_log)
    add_handlers(app)
    document_refusals(app, read_keys=settings.zenith_read_keys)
    return app


def _head_routes(routes: Sequence[BaseRoute]) -> list[APIRoute]:
    """Return a route for HEAD beside each for GET, which FastAPI does not add. The server sends no body."""
    head_routes = []
    for route in routes:
        if isinstance(route, APIRoute) and route.methods == {"GET"}:
            head_route = copy(route)
            head_route.methods, head_route.include_in_schema = {"HEAD"}, False
            head_routes.append(head_route)
    return head_routes


def _with_operation_id(route: BaseRoute) -> BaseRoute:
    """The route, whose name becomes the method's name in a generated client."""
    if isinstance(route, APIRoute):
        route.operation_id = route.name
    return route


def surround(app: FastAPI, settings: Settings, counts: Counts | None, request_log: RequestLog | None) -> None:
    """Add the middleware, from the innermost to the outermost."""
    app.add_middleware(BodyLimit)
    if counts:
        app.add_middleware(RateLimit, keys=app.state.keys, counts=counts)
    if settings.zenith_read_keys:
        if not app.state.keys:
            raise UserError("ZENITH_READ_KEYS needs a key and there is none: set ZENITH_API_KEYS")
        app.add_middleware(ReadKeys, keys=app.state.keys, prefixes=(PREFIX, "/metrics"))
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **_CORS)
    observers = [app.state.metrics.request, *([request_log.request] if request_log else [])]
    app.add_middleware(RequestObserver, observers=observers)
