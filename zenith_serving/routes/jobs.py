"""Training and other jobs, as Dagster runs. Calls to Dagster wait in threads of their own."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request

from zenith_serving.errors import UnknownTicker
from zenith_serving.problem_details import CONTENT, RESPONSES
from zenith_serving.published.snapshot_store import SnapshotStore
from zenith_serving.routes.dependencies import PREFIX, DagsterThreads, LauncherDep, PredictorDep
from zenith_serving.schemas.jobs import JobRequest, Launched, Run, TrainRequest
from zenith_serving.security.authentication import require_key
from zenith_serving.security.client_identity import caller_of

router = APIRouter(prefix=PREFIX, tags=["runs"], responses=RESPONSES)

Body = TypeVar("Body", TrainRequest, JobRequest)
JobName = Annotated[str, Path(max_length=64, examples=["refresh_prices"])]


async def _requester(request: Request) -> str:
    return f"REST API, {caller_of(request.scope, request.app.state.keys).kind}"


Requester = Annotated[str, Depends(_requester)]


_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "Conflict", "content": CONTENT}}


@router.post("/train", status_code=202, dependencies=[Depends(require_key)], responses=_CONFLICT)
async def train(
    request: TrainRequest, by: Requester, launcher: LauncherDep, threads: DagsterThreads, predictor: PredictorDep
) -> Launched:
    """Train a ticker's models again, in a Dagster run. The gates decide if one becomes Production."""
    snapshots = predictor.snapshots
    return await threads.run(lambda: _launch(snapshots, request, lambda one: launcher.train(one, by)))


@router.get("/train/{run_id}")
async def training(run_id: UUID, launcher: LauncherDep, threads: DagsterThreads) -> Run:
    """Report the state of a training run."""
    return await threads.run(lambda: launcher.run(str(run_id)))


@router.post("/jobs/{name}", status_code=202, dependencies=[Depends(require_key)])
async def start_job(
    name: JobName,
    request: JobRequest,
    by: Requester,
    launcher: LauncherDep,
    threads: DagsterThreads,
    predictor: PredictorDep,
) -> Launched:
    """Start a job: refresh_prices, evaluate_model, retrain_all_models, cleanup_old_models, clear_prediction_cache."""
    snapshots = predictor.snapshots
    return await threads.run(lambda: _launch(snapshots, request, lambda one: launcher.start(name, one, by)))


@router.get("/jobs/runs/{run_id}")
async def job_run(run_id: UUID, launcher: LauncherDep, threads: DagsterThreads) -> Run:
    """Report the state of a job's run."""
    return await threads.run(lambda: launcher.run(str(run_id)))


def _launch(snapshots: SnapshotStore, request: Body, launch: Callable[[Body], Launched]) -> Launched:
    """Launch a run. A ticker that Dagster lacks may have been renamed lately; a new owner of its name comes first."""
    try:
        return launch(request)
    except UnknownTicker:
        name = snapshots.current_name(request.ticker) if request.ticker else None
        if name == request.ticker:
            raise
        return launch(request.model_copy(update={"ticker": name}))
