"""The tickers with data, and the data for their charts. Each route reads files, so it runs in a thread.

A part of a chart is None if it cannot be read, or is missing because an older version of the pipelines wrote the
dataset or nothing did yet: the page names the job that makes it, and shows the rest.
"""

import logging
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ValidationError

from zenith_core.errors import CorruptData
from zenith_core.market.listing import unit_text
from zenith_core.model_kinds.table import KINDS, MODEL_KINDS, Kind
from zenith_core.report.compose import compose_chart
from zenith_core.report.document import Report
from zenith_core.snapshot import STALE_AFTER_SESSIONS
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.predictor import utc_now
from zenith_serving.prediction.responses import age_in_sessions
from zenith_serving.problem_details import RESPONSES
from zenith_serving.published.snapshot_store import SnapshotStore
from zenith_serving.report import facts_reader, report_of
from zenith_serving.routes.conditional import NOT_MODIFIED, with_etag
from zenith_serving.routes.dependencies import (
    PREFIX,
    DeclaredParameters,
    Limit,
    PredictorDep,
    SettingsDep,
    UniverseStoreDep,
)
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.charts import (
    Backtest,
    Candles,
    Chart,
    Indicators,
    KindOfModel,
    Links,
    PastForecasts,
    PastSignals,
    TickerList,
    TickerSummary,
)
from zenith_serving.settings import Settings

_logger = logging.getLogger(__name__)
Part = TypeVar("Part", bound=BaseModel)

router = APIRouter(prefix=PREFIX, tags=["tickers"])


@router.get("/tickers", response_model=TickerList, responses=NOT_MODIFIED, dependencies=[DeclaredParameters])
def tickers(
    request: Request,
    settings: SettingsDep,
    predictor: PredictorDep,
    limit: Limit = None,
    after: Annotated[Ticker | None, Query(description="Only tickers that follow this one.")] = None,
    prefix: Annotated[str, Query(max_length=20, description="Only tickers that begin like this.")] = "",
    stale: Annotated[bool | None, Query(description="Only tickers whose data are stale, or are not.")] = None,
) -> Response:
    """List the tickers that have data, with their last close and the age of the data."""
    now, snapshots = utc_now(), predictor.snapshots
    names = snapshots.tickers_after(after or "", prefix.upper())
    summaries = (summary for name in names if (summary := _summary(snapshots, name, now)))
    matches = (summary for summary in summaries if stale in (None, summary.stale))
    page = list(islice(matches, None if limit is None else limit + 1))  # one more tells whether another page follows
    more = limit is not None and len(page) > limit
    listing = TickerList(
        tickers=page[:limit],
        links=links_of(settings),
        kinds=[*map(_kind, KINDS)],
        needs_key=bool(settings.zenith_api_keys),
        next=page[limit - 1].ticker if limit and more else None,
    )
    return with_etag(request, listing)


@router.get("/tickers/{ticker}/chart", responses=RESPONSES)
def chart(ticker: Ticker, settings: SettingsDep, predictor: PredictorDep) -> Chart:
    """Candles, past forecasts beside actual prices, and backtests beside buy-and-hold."""
    return chart_of(settings.snapshots.parent, predictor.snapshots.get(ticker).ticker)


@router.get("/reports/{ticker}", response_model=Report, responses=RESPONSES | NOT_MODIFIED)
def report(
    request: Request, ticker: Ticker, settings: SettingsDep, predictor: PredictorDep, universe: UniverseStoreDep
) -> Response:
    """The evidence for and against a ticker's models: verdicts, metrics, backtests, folds, risk record and lineage.

    The page `/reports/{ticker}` draws it, in English or Portuguese.
    """
    return with_etag(request, report_of(settings.snapshots.parent, predictor, universe, ticker))


def chart_of(data: Path, ticker: str) -> Chart:
    """Return the chart of a validated ticker; `data` holds a folder for each dataset."""
    parts = compose_chart(ticker, facts_reader(data, ticker))
    return Chart(
        ticker=ticker,
        candles=_part(Candles, parts["candles"]),
        forecasts=_part(PastForecasts, parts["forecasts"]),
        indicators=_part(Indicators, parts["indicators"]),
        signals=_part(PastSignals, parts["signals"]),
        backtests={kind: _part(Backtest, own) for kind, own in parts["backtests"].items()},
    )


def links_of(settings: Settings) -> Links:
    """Return the addresses of the other two user interfaces, without the user and password that they may hold."""
    return Links(
        dagster=settings.dagster_public_url or _address(settings.dagster_url),
        mlflow=settings.mlflow_public_url or _address(settings.mlflow_tracking_uri),
    )


def _summary(snapshots: SnapshotStore, ticker: str, now: datetime) -> TickerSummary | None:
    try:
        snapshot = snapshots.listed(ticker)
    except UnknownTicker:  # removed after it was listed
        return None
    except CorruptData:
        return TickerSummary(ticker=ticker)
    age = age_in_sessions(snapshot, now)
    return TickerSummary(
        ticker=ticker,
        close=snapshot.close,
        as_of=snapshot.as_of,
        currency=snapshot.currency,
        unit=unit_text(snapshot.currency),
        exchange=snapshot.listing.get("exchange"),
        instrument=snapshot.listing.get("instrument"),
        name=snapshot.listing.get("name"),
        stale=age > STALE_AFTER_SESSIONS,
        age_sessions=age,
    )


def _kind(name: Kind) -> KindOfModel:
    kind = MODEL_KINDS[name]
    return KindOfModel(name=name, task=kind.task, title=kind.title, options=list(kind.options.model_fields))


def _part(schema: type[Part], content: object) -> Part | None:
    try:
        return None if content is None else schema.model_validate(content)
    except ValidationError as error:
        _logger.warning("%s: %d errors", schema.__name__, error.error_count())
        return None


def _address(uri: str | None) -> str | None:
    parts = urlsplit(uri or "")
    if parts.scheme not in ("http", "https"):
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
