"""Forecasts and signals of one ticker."""

from fastapi import APIRouter, Request, Response

from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.answering import Question, answer_one
from zenith_serving.routes.dependencies import PREFIX, predictor_of
from zenith_serving.routes.direct_route import DirectRoute, documented, posted
from zenith_serving.schemas.predictions import (
    ComprehensiveAnswer,
    PriceAnswer,
    PriceRequest,
    SignalAnswer,
    SignalRequest,
)

router = APIRouter(prefix=PREFIX, tags=["predictions"], route_class=DirectRoute)


@router.post("/predict/price", response_model=PriceAnswer, responses=RESPONSES, openapi_extra=documented(PriceRequest))
async def predict_price(request: Request) -> Response:
    """Forecast the next sessions' prices."""
    asked = await posted(request, PriceRequest)
    return _json(
        await answer_one(predictor_of(request), Question(asked.ticker, "price", asked.horizon, asked.use_cache))
    )


@router.post(
    "/predict/signal", response_model=SignalAnswer, responses=RESPONSES, openapi_extra=documented(SignalRequest)
)
async def predict_signal(request: Request) -> Response:
    """Choose between buy, hold and sell."""
    asked = await posted(request, SignalRequest)
    return _json(await answer_one(predictor_of(request), Question(asked.ticker, "signal", use_cache=asked.use_cache)))


@router.post(
    "/predict/comprehensive",
    response_model=ComprehensiveAnswer,
    responses=RESPONSES,
    openapi_extra=documented(PriceRequest),
)
async def predict_comprehensive(request: Request) -> Response:
    """Forecast and signal in one. A part that fails is reported inside; both failing is an error."""
    asked = await posted(request, PriceRequest)
    return _json(
        await answer_one(predictor_of(request), Question(asked.ticker, "comprehensive", asked.horizon, asked.use_cache))
    )


def _json(answer: bytes) -> Response:
    """Serialized already: FastAPI would validate the answer a second time."""
    return Response(answer, media_type="application/json")
