"""The REST service: routes that read as their signatures, over one Predictor.

An answer whose model and data are in memory takes about 0.1 ms, less than handing it to a thread, so it is
computed on the event loop; whatever may wait (a file, the registry, Redis) goes to a thread. /health touches
memory only, so no prediction can hold it up.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from zenith_core.disclaimer import DISCLAIMER
from zenith_core.errors import ZenithError
from zenith_core.naming import Kind
from zenith_serving.errors import UnknownTicker
from zenith_serving.limits import BodyLimit
from zenith_serving.predictor import Predictor, make_predictor
from zenith_serving.problems import RESPONSES, add_handlers, problem_of
from zenith_serving.schemas import (
    ComprehensiveAnswer,
    Disclaimer,
    Health,
    PriceAnswer,
    PriceRequest,
    SignalAnswer,
    SignalRequest,
)
from zenith_serving.settings import Settings
from zenith_serving.watcher import Watcher

Result = TypeVar("Result", bound=BaseModel)


async def _predictor(request: Request) -> Predictor:
    predictor: Predictor = request.app.state.predictor
    return predictor


PredictorDep = Annotated[Predictor, Depends(_predictor)]

ml = APIRouter(prefix="/api/v1/ml")


@ml.post("/predict/price", response_model=PriceAnswer, responses=RESPONSES)
async def predict_price(asked: PriceRequest, predictor: PredictorDep) -> Response:
    """Forecast the next sessions' prices."""
    return await _reply(predictor, asked, ("lstm",), lambda: _price(predictor, asked))


@ml.post("/predict/signal", response_model=SignalAnswer, responses=RESPONSES)
async def predict_signal(asked: SignalRequest, predictor: PredictorDep) -> Response:
    """Choose between buy, hold and sell."""
    return await _reply(predictor, asked, ("ensemble",), lambda: _signal(predictor, asked))


@ml.post("/predict/comprehensive", response_model=ComprehensiveAnswer, responses=RESPONSES)
async def predict_comprehensive(asked: PriceRequest, predictor: PredictorDep) -> Response:
    """Forecast and signal in one. A part that fails is reported inside; both failing is an error."""
    return await _reply(predictor, asked, ("lstm", "ensemble"), lambda: _both(predictor, asked))


@ml.get("/disclaimer")
async def disclaimer() -> Disclaimer:
    """What a prediction is not."""
    return Disclaimer(disclaimer=DISCLAIMER)


health_router = APIRouter()


@health_router.get("/health")
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
    app.include_router(ml)
    app.include_router(health_router)
    app.add_middleware(BodyLimit)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"]
        )
    add_handlers(app)
    return app


async def _reply(
    predictor: Predictor, asked: SignalRequest, kinds: tuple[Kind, ...], answer: Callable[[], BaseModel]
) -> Response:
    """Serialized here, once: FastAPI would validate the answer a second time."""
    warm = predictor.is_warm(asked.ticker, *kinds)
    answered = answer() if warm else await run_in_threadpool(answer)
    return Response(answered.model_dump_json(), media_type="application/json")


def _price(predictor: Predictor, asked: PriceRequest) -> PriceAnswer:
    return predictor.predict_price(asked.ticker, asked.horizon, use_cache=asked.use_cache)


def _signal(predictor: Predictor, asked: SignalRequest) -> SignalAnswer:
    return predictor.predict_signal(asked.ticker, use_cache=asked.use_cache)


def _both(predictor: Predictor, asked: PriceRequest) -> ComprehensiveAnswer:
    price, price_error = _attempt(lambda: _price(predictor, asked))
    signal, signal_error = _attempt(lambda: _signal(predictor, asked))
    if price_error and signal_error:
        raise price_error
    errors = {"price": price_error, "signal": signal_error}
    problems = {part: problem_of(error) for part, error in errors.items() if error}
    return ComprehensiveAnswer(ticker=asked.ticker, price=price, signal=signal, problems=problems)


def _attempt(answer: Callable[[], Result]) -> tuple[Result | None, ZenithError | None]:
    try:
        return answer(), None
    except UnknownTicker:
        raise
    except ZenithError as error:
        return None, error
