"""The model versions in the registry, the decisions about them, and the webhook that follows a promotion at once."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from zenith_core.model_kinds.table import KindInUse
from zenith_serving.comparison import VERSION, compare_versions
from zenith_serving.errors import RegistryUnavailable
from zenith_serving.problem_details import RESPONSES
from zenith_serving.published.evidence_universe import EvidenceUniverse
from zenith_serving.registry.version_listing import list_models, model_history
from zenith_serving.routes.conditional import NOT_MODIFIED, with_etag
from zenith_serving.routes.dependencies import (
    PREFIX,
    DeclaredParameters,
    Limit,
    PredictorDep,
    RegistryDep,
    RegistryThreads,
    SettingsDep,
    TickerPath,
)
from zenith_serving.schemas.base import Ticker
from zenith_serving.schemas.comparisons import ModelComparison
from zenith_serving.schemas.predictions import Refreshed
from zenith_serving.schemas.registry import History, Models, ModelVersion, Status
from zenith_serving.security.authentication import require_key

_VERSION = r"^[^/]{1,60}/[0-9]{1,9}$"  # as `next` names one

router = APIRouter(prefix=PREFIX, responses=RESPONSES)


@router.get(
    "/models",
    tags=["registry"],
    dependencies=[DeclaredParameters],
    response_model=Models,
    responses=NOT_MODIFIED,
)
async def models(
    request: Request,
    registry: RegistryDep,
    threads: RegistryThreads,
    predictor: PredictorDep,
    ticker: Ticker | None = None,
    model_type: KindInUse | None = None,
    status: Status | None = None,
    limit: Limit = None,
    after: Annotated[str | None, Query(pattern=_VERSION, description="`next` of the page before.")] = None,
) -> Response:
    """List every model version: its status, lineage, out-of-sample figures and the last decision about it."""
    name = predictor.snapshots.current_name(ticker) if ticker else None
    listing = await threads.run(lambda: list_models(registry, name, model_type, status, limit, after))
    return with_etag(request, await threads.run(lambda: _with_evidence(listing, predictor.universe)))


@router.get("/models/{ticker}/history", tags=["registry"])
async def history(
    ticker: TickerPath, registry: RegistryDep, threads: RegistryThreads, predictor: PredictorDep
) -> History:
    """List the decisions on the version in Production: when, by whom, why, and each gate's result."""
    name = predictor.snapshots.current_name(ticker)
    return await threads.run(lambda: model_history(registry, name))


@router.get("/models/{ticker}/compare", tags=["registry"], dependencies=[DeclaredParameters])
async def compare(
    ticker: TickerPath,
    registry: RegistryDep,
    threads: RegistryThreads,
    predictor: PredictorDep,
    settings: SettingsDep,
    first: Annotated[str, Query(pattern=VERSION, description="`lstm/2`, or a kind: its version in Production.")],
    second: Annotated[str, Query(pattern=VERSION, description="As `first`.")],
) -> ModelComparison:
    """Compare two versions or kinds of model: metrics, calibration, gates, backtest, parameters and data."""
    name = predictor.snapshots.current_name(ticker)
    data = settings.snapshots.parent
    return await threads.run(lambda: compare_versions(registry, data, name, first, second))


@router.post("/models/refresh", tags=["models"], dependencies=[Depends(require_key)])
def refresh_models(predictor: PredictorDep) -> Refreshed:
    """Follow every moved alias now. After this, the process that answered serves the new versions; other processes
    look for themselves every two seconds.
    """
    predictor.refresh(retry=True)
    state = predictor.models.state()
    if state["registry"]["detail"]:
        raise RegistryUnavailable(state["registry"]["detail"])
    return Refreshed(**state["models"])


def _with_evidence(listing: Models, universe: EvidenceUniverse) -> Models:
    """Return the listing with the evidence of each version that answers its task."""

    def judged(version: ModelVersion) -> ModelVersion:
        if version.status != "production":
            return version
        return version.model_copy(update={"evidence": universe.judge_kind(version.ticker, version.model_type)})

    return listing.model_copy(update={"models": [*map(judged, listing.models)]})
