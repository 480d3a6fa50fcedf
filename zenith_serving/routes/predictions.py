"""Forecasts, signals and risk: of one ticker, of many, and the disclaimer that goes with them.

An answer that needs memory alone is made on the event loop: handing it to a thread takes longer than making it
(docs/decisions/0025). One that may wait for a file, the registry, Redis or ONNX Runtime is made in a thread.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from zenith_core.errors import ZenithError
from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.answers import ANSWERS, signal_kind
from zenith_core.model_kinds.table import Kind
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import DISCLAIMER
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.prediction.served_model import ServedModel
from zenith_serving.problem_details import RESPONSES, problem_of, unexpected_problem
from zenith_serving.routes.dependencies import PREFIX
from zenith_serving.routes.direct_route import DirectRoute, document_body, read_body
from zenith_serving.schemas.predictions import (
    BatchAnswer,
    BatchRequest,
    ComprehensiveAnswer,
    ComprehensiveRequest,
    Disclaimer,
    PredictionType,
    PriceAnswer,
    PriceRequest,
    Problem,
    SignalAnswer,
    SignalRequest,
)
from zenith_serving.schemas.risk import RiskAnswer, RiskRequest

BATCH_CONCURRENCY = 8
"""Tickers of a batch in progress at a time, so that the event loop and its threads have time for other requests."""

Models = Mapping[Kind, ServedModel] | None

_logger = logging.getLogger(__name__)

router = APIRouter(prefix=PREFIX, tags=["predictions"], route_class=DirectRoute)


class Question(NamedTuple):
    """A question about one ticker."""

    ticker: str
    what: PredictionType
    horizon: int = 5
    use_cache: bool = True
    quantiles: Sequence[float] = ()
    signal_horizon: int | None = None

    @property
    def risk(self) -> RiskRequest:
        """The question about risk at the default tails."""
        return RiskRequest(ticker=self.ticker, horizon=self.horizon, use_cache=self.use_cache)


@router.post(
    "/predict/price", response_model=PriceAnswer, responses=RESPONSES, openapi_extra=document_body(PriceRequest)
)
async def predict_price(request: Request) -> bytes:
    """Forecast the prices of the next sessions."""
    body = await read_body(request, PriceRequest)
    question = Question(body.ticker, "price", body.horizon, body.use_cache, body.quantiles)
    return await _answer(_predictor(request), question)


@router.post(
    "/predict/signal", response_model=SignalAnswer, responses=RESPONSES, openapi_extra=document_body(SignalRequest)
)
async def predict_signal(request: Request) -> bytes:
    """Choose between buy, hold and sell."""
    body = await read_body(request, SignalRequest)
    question = Question(body.ticker, "signal", use_cache=body.use_cache, signal_horizon=body.horizon)
    return await _answer(_predictor(request), question)


@router.post("/predict/risk", response_model=RiskAnswer, responses=RESPONSES, openapi_extra=document_body(RiskRequest))
async def predict_risk(request: Request) -> bytes:
    """Value at risk, expected shortfall, volatility, and the probabilities to touch prices."""
    body, predictor = await read_body(request, RiskRequest), _predictor(request)
    if predictor.ready((), body.ticker) is not None:
        return predictor.answer_risk(body)
    return await run_in_threadpool(predictor.answer_risk, body)


@router.post(
    "/predict/comprehensive",
    response_model=ComprehensiveAnswer,
    responses=RESPONSES,
    openapi_extra=document_body(ComprehensiveRequest),
)
async def predict_comprehensive(request: Request) -> bytes:
    """Forecast, signal and risk in one. If a forecast or signal fails, the answer reports it; if both, it is an error.

    Risk is null where the data have no distribution.
    """
    body = await read_body(request, ComprehensiveRequest)
    question = Question(body.ticker, "comprehensive", body.horizon, body.use_cache, body.quantiles, body.signal_horizon)
    return await _answer(_predictor(request), question)


@router.post(
    "/predict/batch", response_model=BatchAnswer, responses=RESPONSES, openapi_extra=document_body(BatchRequest)
)
async def predict_batch(request: Request) -> bytes:
    """Ask the same of up to 200 tickers. Each has its prediction or its problem, in the order of the request."""
    body = await read_body(request, BatchRequest)
    predictor, turn = _predictor(request), asyncio.Semaphore(BATCH_CONCURRENCY)

    async def result(ticker: str) -> bytes:
        async with turn:
            await asyncio.sleep(0)  # an answer from memory never waits: 200 of them would be one step of the loop
            question = Question(ticker, body.what, body.horizon, body.use_cache, signal_horizon=body.signal_horizon)
            return await _batch_result(predictor, question)

    results = await asyncio.gather(*map(result, body.tickers))
    return b'{"what":"%s","results":[%s]}' % (body.what.encode(), b",".join(results))


async def disclaimer() -> Disclaimer:
    """The limits of a prediction."""
    return Disclaimer(disclaimer=DISCLAIMER)


router.add_api_route("/disclaimer", disclaimer, methods=["GET"], route_class_override=APIRoute)


def _predictor(request: Request) -> Predictor:
    """The application's predictor: a DirectRoute has no dependencies."""
    predictor: Predictor = request.app.state.predictor
    return predictor


async def _answer(predictor: Predictor, question: Question) -> bytes:
    """Return the answer as JSON. Raises as `Predictor.answer` and `Predictor.answer_risk`."""
    kinds = _kinds(question)
    models = predictor.ready(kinds.values(), question.ticker)
    if models is not None:
        return _answer_now(predictor, question, kinds, models)
    return await run_in_threadpool(_answer_by_name, predictor, question)


def _kinds(question: Question) -> Mapping[Task, Kind]:
    """Return the kinds that answer the question, by task; none for risk."""
    ticker, what = question.ticker, question.what
    kinds: dict[Task, Kind] = {}
    if what in ("price", "comprehensive"):
        kinds["price"] = ANSWERS.of(ticker)["price"]
    if what in ("signal", "comprehensive"):
        kinds["signal"] = signal_kind(ticker, question.signal_horizon)
    return kinds


def _answer_by_name(predictor: Predictor, question: Question) -> bytes:
    """Answer under the name that the ticker has now."""
    question = question._replace(ticker=predictor.snapshots.current_name(validate_ticker(question.ticker)))
    return _answer_now(predictor, question, _kinds(question))


def _answer_now(predictor: Predictor, question: Question, kinds: Mapping[Task, Kind], models: Models = None) -> bytes:
    if question.what == "comprehensive":
        return _comprehensive(predictor, question, kinds, models)
    if question.what == "risk":
        return predictor.answer_risk(question.risk)
    (kind,) = kinds.values()
    return _part(predictor, kind, question, models)


def _part(predictor: Predictor, kind: Kind, question: Question, models: Models) -> bytes:
    ticker, _, horizon, use_cache, quantiles, signal_horizon = question
    return predictor.answer(
        kind,
        ticker,
        horizon,
        use_cache=use_cache,
        models=models,
        quantiles=quantiles,
        signal_horizon=signal_horizon,
    )


def _comprehensive(predictor: Predictor, question: Question, kinds: Mapping[Task, Kind], models: Models) -> bytes:
    """A ComprehensiveAnswer, joined from the JSON of its parts."""
    answers, errors = {}, {}
    for part, kind in kinds.items():
        try:
            answers[part] = _part(predictor, kind, question, models)
        except UnknownTicker:
            raise
        except ZenithError as error:
            errors[part] = error
    if not answers:
        raise errors["price"]
    price, signal = (answers.get(part, b"null") for part in ("price", "signal"))
    problems = b",".join(b'"%s":%s' % (part.encode(), _problem(problem_of(error))) for part, error in errors.items())
    return b'{"ticker":"%s","price":%s,"signal":%s,"problems":{%s},"risk":%s}' % (
        question.ticker.encode(),
        price,
        signal,
        problems,
        _risk(predictor, question),
    )


def _risk(predictor: Predictor, question: Question) -> bytes:
    """A RiskAnswer as JSON; null where there is none, because data of before 0.2.0 never have one."""
    try:
        return predictor.answer_risk(question.risk)
    except ZenithError:
        return b"null"


async def _batch_result(predictor: Predictor, question: Question) -> bytes:
    """The BatchResult of one ticker as JSON; any error is reported inside."""
    prediction, problem = b"null", b"null"
    try:
        prediction = await _answer(predictor, question)
    except ZenithError as error:
        problem = _problem(problem_of(error))
    except Exception:
        _logger.exception("one ticker of a batch failed")
        problem = _problem(unexpected_problem())
    return b'{"ticker":"%s","prediction":%s,"problem":%s}' % (question.ticker.encode(), prediction, problem)


def _problem(problem: Problem) -> bytes:
    return problem.model_dump_json().encode()
