"""Several tickers together: the risk of a book, and rank probabilities of all tickers or of a group."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from zenith_core.names import HORIZONS
from zenith_serving.portfolio.answers import all_ranks, book_answer, group_ranks
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.dependencies import PREFIX, UniverseStoreDep
from zenith_serving.routes.direct_route import DirectRoute, document_body, read_body
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.universe import BookAnswer, BookRequest, RankRequest, RankTable

MAX_ROWS = 500

router = APIRouter(prefix=PREFIX, tags=["predictions"], route_class=DirectRoute)


@router.post("/predict/book", response_model=BookAnswer, responses=RESPONSES, openapi_extra=document_body(BookRequest))
async def predict_book(request: Request) -> bytes:
    """Value at risk, expected shortfall and volatility of a book, with each position's part, and past scenarios."""
    body, state = await read_body(request, BookRequest), request.app.state

    def answer() -> bytes:
        universe, _ = state.universe_store.get()
        return book_answer(universe, state.predictor.snapshots, body, datetime.now(UTC)).model_dump_json().encode()

    return await run_in_threadpool(answer)


@router.post("/predict/ranks", response_model=RankTable, responses=RESPONSES, openapi_extra=document_body(RankRequest))
async def predict_ranks(request: Request) -> bytes:
    """Rank probabilities of a group: fifths, first, last, and which ticker beats which."""
    body, state = await read_body(request, RankRequest), request.app.state

    def answer() -> bytes:
        universe, _ = state.universe_store.get()
        return group_ranks(universe, state.predictor.snapshots, body).model_dump_json().encode()

    return await run_in_threadpool(answer)


def universe(
    store: UniverseStoreDep,
    horizon: Annotated[int, Query(ge=1, le=HORIZONS, description="Sessions ahead, 5 or 20.")] = 20,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="Rows at most.")] = 200,
    after: Annotated[Ticker | None, Query(description="`next` of the page before.")] = None,
) -> RankTable:
    """Rank probabilities of all tickers among one another, as of the last nightly forecast."""
    forecast, ranks = store.get()
    return all_ranks(forecast, ranks, store.record(), horizon, limit, after)


router.add_api_route("/universe", universe, methods=["GET"], responses=RESPONSES, route_class_override=APIRoute)
