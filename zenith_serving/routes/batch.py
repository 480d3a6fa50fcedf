"""Predictions for many tickers in one request."""

import asyncio
import logging

from fastapi import APIRouter, Request, Response

from zenith_core.errors import ZenithError
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.problem_details import RESPONSES, problem_of, surprise
from zenith_serving.routes.answering import Question, answer_one
from zenith_serving.routes.dependencies import PREFIX, predictor_of
from zenith_serving.routes.direct_route import DirectRoute, documented, posted
from zenith_serving.schemas.predictions import BatchAnswer, BatchRequest, Problem

AT_ONCE = 8
"""Tickers under way at a time: between them the event loop sees to other requests, and threads are left for those."""

_logger = logging.getLogger(__name__)

router = APIRouter(prefix=PREFIX, tags=["predictions"], route_class=DirectRoute)


@router.post("/predict/batch", response_model=BatchAnswer, responses=RESPONSES, openapi_extra=documented(BatchRequest))
async def predict_batch(request: Request) -> Response:
    """Ask of up to 200 tickers at once. Each has its prediction or its problem, in the order asked."""
    asked = await posted(request, BatchRequest)
    predictor = predictor_of(request)
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(ticker: str) -> bytes:
        async with turn:
            await asyncio.sleep(0)  # a warm answer waits for nothing: without this, all 200 would be one step
            return await _result(predictor, Question(ticker, asked.what, asked.horizon, asked.use_cache))

    results = await asyncio.gather(*map(one, asked.tickers))
    content = b'{"what":"%s","results":[%s]}' % (asked.what.encode(), b",".join(results))
    return Response(content, media_type="application/json")


async def _result(predictor: Predictor, asked: Question) -> bytes:
    """One ticker's BatchResult as JSON. Whatever goes wrong with it is told inside."""
    prediction, problem = b"null", b"null"
    try:
        prediction = await answer_one(predictor, asked)
    except ZenithError as error:
        problem = _json(problem_of(error))
    except Exception:
        _logger.exception("one ticker of a batch failed")
        problem = _json(surprise())
    return b'{"ticker":"%s","prediction":%s,"problem":%s}' % (asked.ticker.encode(), prediction, problem)


def _json(problem: Problem) -> bytes:
    return problem.model_dump_json().encode()
