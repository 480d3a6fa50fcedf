"""Past forecasts beside actual prices: the pipelines' forecast ledger, summarized by them."""

from fastapi import APIRouter, Response
from pydantic import ValidationError

from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.dependencies import PREFIX, LedgersDep, PredictorDep, TickerPath, UniverseDep
from zenith_serving.schemas.registry import TrackRecord

router = APIRouter(prefix=PREFIX, tags=["registry"])


@router.get("/track-record/{ticker}", response_model=TrackRecord, responses=RESPONSES)
def track_record(ticker: TickerPath, ledgers: LedgersDep, predictor: PredictorDep, universe: UniverseDep) -> Response:
    """Past forecasts beside the actual prices."""
    # Serialized here, in a thread: up to 750 rows take milliseconds that /health would wait for.
    ticker = predictor.snapshots.current_name(ticker)
    facts = ledgers.read(ticker)
    try:
        proof = {
            "evidence": universe.judge_all(ticker, "price"),
            "signal_evidence": universe.judge_all(ticker, "signal"),
        }
        record = TrackRecord(ticker=ticker, **facts["track_record"], **proof)
    except (ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ledgers.unreadable(ticker, error) from None
    return Response(record.model_dump_json(), media_type="application/json")
