"""What was forecast, against what came: the pipelines' forecast ledger, as they sum it up."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from zenith_serving.prediction.dataset_reader import FactsFolder
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.dependencies import PREFIX, TickerPath
from zenith_serving.schemas.registry import TrackRecord

router = APIRouter(prefix=PREFIX, tags=["registry"])


async def _ledgers(request: Request) -> FactsFolder:
    ledgers: FactsFolder = request.app.state.ledgers
    return ledgers


@router.get("/track-record/{ticker}", response_model=TrackRecord, responses=RESPONSES)
def track_record(ticker: TickerPath, ledgers: Annotated[FactsFolder, Depends(_ledgers)]) -> Response:
    """Forecasts that were made, beside what came."""
    # In a thread, made into JSON there: up to 750 rows are milliseconds that /health would wait for.
    facts = ledgers.read(ticker)
    try:
        record = TrackRecord(ticker=ticker, **facts["track_record"])
    except (ValidationError, KeyError, TypeError) as error:
        raise ledgers.unreadable(ticker, error) from None
    return Response(record.model_dump_json(), media_type="application/json")
