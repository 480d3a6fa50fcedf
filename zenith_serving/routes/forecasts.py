"""The table of forecasts: one row a ticker, in pages, as JSON or CSV."""

from bisect import bisect_right
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from zenith_core.names import DISCLAIMER, HORIZONS
from zenith_serving.prediction.forecast_table import forecast_row, to_csv
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.conditional import NOT_MODIFIED, with_etag
from zenith_serving.routes.dependencies import PREFIX, DeclaredParameters, PredictorDep
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.forecasts import MAX_ROWS, ForecastTable
from zenith_serving.schemas.predictions import MAX_QUANTILES

CSV = "text/csv"
Level = Annotated[float, Query(gt=0, lt=1)]

router = APIRouter(prefix=PREFIX, tags=["predictions"])

_AS_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}


@router.get(
    "/forecasts",
    response_model=ForecastTable,
    responses=RESPONSES | NOT_MODIFIED | _AS_CSV,
    dependencies=[DeclaredParameters],
)
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
    after: Annotated[Ticker | None, Query(description="`next` of the page before.")] = None,
) -> Response:
    """Forecasts of all tickers at one horizon, with risk and signal. `Accept: text/csv` gives CSV.

    A ticker without a forecast has the reason in its row. A page of CSV names the next one in the header `Link`.
    """
    names = sorted({*map(predictor.snapshots.current_name, tickers)}) or predictor.snapshots.tickers()
    names = names[bisect_right(names, after) if after else 0 :]
    rows = [forecast_row(predictor, ticker, horizon, quantiles) for ticker in names[:limit]]
    last = names[limit - 1] if len(names) > limit else None
    if CSV not in request.headers.get("accept", ""):
        return with_etag(request, ForecastTable(horizon=horizon, forecasts=rows, next=last, disclaimer=DISCLAIMER))
    link = f'<{request.url.include_query_params(after=last)}>; rel="next"'
    return Response(to_csv(rows, quantiles), media_type=CSV, headers={"Link": link} if last else None)
