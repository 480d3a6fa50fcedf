"""The pipelines' forecast ledger: past forecasts beside actual prices, and the newest one beside an earlier one."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import ValidationError

from zenith_core.errors import NotAvailable
from zenith_core.evaluation.forecast_changes import ServedForecast, explain
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.names import EARLIER_HORIZON, model_name
from zenith_serving.errors import NoEarlierForecast
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.problem_details import RESPONSES
from zenith_serving.published.dataset_reader import DatasetReader
from zenith_serving.registry import ModelRegistry
from zenith_serving.routes.dependencies import (
    PREFIX,
    DeclaredParameters,
    LedgersDep,
    PredictorDep,
    RegistryDep,
    RegistryThreads,
    TickerPath,
    UniverseDep,
)
from zenith_serving.schemas.registry import Explanation, TrackRecord

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


@router.get("/explain/{ticker}", responses=RESPONSES, dependencies=[DeclaredParameters])
async def explanation(
    ticker: TickerPath,
    ledgers: LedgersDep,
    predictor: PredictorDep,
    registry: RegistryDep,
    threads: RegistryThreads,
    since: Annotated[
        date | None, Query(description="Compare with the last forecast made by the end of this day, UTC.")
    ] = None,
) -> Explanation:
    """Explain why the newest forecast, its band, risk and signal differ from the one before.

    The last 60 forecasts can be compared; `zenith explain` has all. The first forecast has none before it.
    """
    name = predictor.snapshots.current_name(ticker)
    return await threads.run(lambda: _explanation(name, since, ledgers, predictor, registry))


def _explanation(
    ticker: str, since: date | None, ledgers: DatasetReader, predictor: Predictor, registry: ModelRegistry
) -> Explanation:
    facts, kinds = ledgers.read(ticker), ANSWERS.of(ticker)
    records = registry.decisions(ticker)
    decisions = {kind: records.get(model_name(kind, ticker), []) for kind in kinds.values()}
    try:
        horizon = int(facts.get("horizon", EARLIER_HORIZON))  # a ledger of an earlier release has neither
        forecasts = [ServedForecast(**one) for one in facts.get("served", [])]
        closes = {str(day): close for day, close in predictor.snapshots.get(ticker).recent}
        return Explanation(**explain(ticker, horizon, forecasts, since, kinds, closes, decisions))
    except NotAvailable as error:
        raise NoEarlierForecast(str(error)) from None
    except (ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ledgers.unreadable(ticker, error) from None
