"""The tickers there are, and what a page draws of one. Each reads files, so it runs in a thread."""

from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Request

from zenith_core.errors import CorruptData
from zenith_core.snapshot import STALE_AFTER_SESSIONS
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.predictor import utc_now
from zenith_serving.prediction.responses import age_in_sessions
from zenith_serving.prediction.snapshot_store import SnapshotStore
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.charts import chart_of
from zenith_serving.routes.dependencies import PREFIX, PredictorDep
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.charts import Chart, Links, TickerList, TickerSummary
from zenith_serving.settings import Settings

router = APIRouter(prefix=PREFIX, tags=["tickers"])


@router.get("/tickers")
def tickers(request: Request, predictor: PredictorDep) -> TickerList:
    """Every ticker that can be asked about, with its last close and the age of its data."""
    now, snapshots = utc_now(), predictor.snapshots
    found = (_summary(snapshots, ticker, now) for ticker in snapshots.tickers())
    return TickerList(tickers=[one for one in found if one], links=links_of(request.app.state.settings))


@router.get("/tickers/{ticker}/chart", responses=RESPONSES)
def chart(ticker: Ticker, request: Request, predictor: PredictorDep) -> Chart:
    """Candles, past forecasts beside what came, and backtests beside buy-and-hold."""
    data: Path = request.app.state.settings.snapshots.parent
    return chart_of(data, predictor.snapshots.get(ticker).ticker)


def links_of(settings: Settings) -> Links:
    """Addresses of the other two user interfaces, without a name or password that they may hold."""
    return Links(
        dagster=settings.dagster_public_url or _address(settings.dagster_url),
        mlflow=settings.mlflow_public_url or _address(settings.mlflow_tracking_uri),
    )


def _summary(snapshots: SnapshotStore, ticker: str, now: datetime) -> TickerSummary | None:
    try:
        snapshot = snapshots.get(ticker)
    except UnknownTicker:  # removed since they were listed
        return None
    except CorruptData:
        return TickerSummary(ticker=ticker)
    age = age_in_sessions(snapshot, now)
    return TickerSummary(
        ticker=ticker,
        close=snapshot.close,
        as_of=snapshot.as_of,
        currency=snapshot.currency,
        stale=age > STALE_AFTER_SESSIONS,
        age_sessions=age,
    )


def _address(uri: str | None) -> str | None:
    parts = urlsplit(uri or "")
    if parts.scheme not in ("http", "https"):
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
