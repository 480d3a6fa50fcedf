"""Forecasts and signals.

An answer whose model and data are in memory takes about 0.1 ms, less than handing it to a thread, so it is
computed on the event loop; whatever may wait (a file, the registry, Redis) goes to a thread.
"""

from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from zenith_core.disclaimer import DISCLAIMER
from zenith_core.errors import ZenithError
from zenith_core.naming import Kind
from zenith_serving.errors import UnknownTicker
from zenith_serving.predictor import Predictor
from zenith_serving.problems import RESPONSES, problem_of
from zenith_serving.routes.dependencies import PREFIX, PredictorDep
from zenith_serving.schemas import (
    ComprehensiveAnswer,
    Disclaimer,
    PriceAnswer,
    PriceRequest,
    SignalAnswer,
    SignalRequest,
)

Result = TypeVar("Result", bound=BaseModel)

router = APIRouter(prefix=PREFIX, tags=["predictions"])


@router.post("/predict/price", response_model=PriceAnswer, responses=RESPONSES)
async def predict_price(asked: PriceRequest, predictor: PredictorDep) -> Response:
    """Forecast the next sessions' prices."""
    return await _reply(predictor, asked, ("lstm",), lambda: _price(predictor, asked))


@router.post("/predict/signal", response_model=SignalAnswer, responses=RESPONSES)
async def predict_signal(asked: SignalRequest, predictor: PredictorDep) -> Response:
    """Choose between buy, hold and sell."""
    return await _reply(predictor, asked, ("ensemble",), lambda: _signal(predictor, asked))


@router.post("/predict/comprehensive", response_model=ComprehensiveAnswer, responses=RESPONSES)
async def predict_comprehensive(asked: PriceRequest, predictor: PredictorDep) -> Response:
    """Forecast and signal in one. A part that fails is reported inside; both failing is an error."""
    return await _reply(predictor, asked, ("lstm", "ensemble"), lambda: _both(predictor, asked))


@router.get("/disclaimer")
async def disclaimer() -> Disclaimer:
    """What a prediction is not."""
    return Disclaimer(disclaimer=DISCLAIMER)


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
