"""The table of forecasts: one row a ticker, in pages, as JSON or CSV."""

from bisect import bisect_right
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from zenith_core.names import DISCLAIMER, HORIZONS
from zenith_serving.prediction.forecast_table import forecast_row, to_csv
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.dependencies import PREFIX, PredictorDep
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.forecasts import MAX_ROWS, ForecastTable
from zenith_serving.schemas.predictions import MAX_QUANTILES

CSV = "text/csv"
Level = Annotated[float, Query(gt=0, lt=1)]

router = APIRouter(prefix=PREFIX, tags=["predictions"])

_AS_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}


@router.get("/forecasts", response_model=ForecastTable, responses=RESPONSES | _AS_CSV)
def forecasts(
    request: Request,
    predictor: PredictorDep,
    horizon: Annotated[int, Query(ge=1, le=HORIZONS, description="Sessions ahead.")] = 5,
    quantiles: Annotated[
        list[Level], Query(max_length=MAX_QUANTILES, description="Levels such as 0.05 whose prices to add. Repeatable.")
    ] = [],  # noqa: B006 (FastAPI copies it)
    tickers: Annotated[
        list[Ticker], Query(max_length=MAX_ROWS, description="Tickers. Repeatable. Default: all that have data.")
    ] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="Rows at most.")] = 200,
    after: Annotated[Ticker | None, Query(description="Begin behind this ticker, the `after` of a page.")] = None,
) -> Response:
    """Forecasts of all tickers at one horizon, with risk and signal. `Accept: text/csv` gives CSV.

    A ticker without a forecast has the reason in its row. Where more tickers follow, `after` is the last one of the
    page, and a CSV page has it in the header `X-Next-After`.
    """
    names = sorted(set(tickers)) or predictor.snapshots.tickers()
    names = names[bisect_right(names, after) if after else 0 :]
    rows = [forecast_row(predictor, ticker, horizon, quantiles) for ticker in islice(names, limit)]
    last = names[limit - 1] if len(names) > limit else None
    if CSV in request.headers.get("accept", ""):
        return Response(to_csv(rows, quantiles), media_type=CSV, headers={"X-Next-After": last} if last else None)
    table = ForecastTable(horizon=horizon, forecasts=rows, after=last, disclaimer=DISCLAIMER)
    return Response(table.model_dump_json(), media_type="application/json")
