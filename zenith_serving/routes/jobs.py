"""Training and other jobs, as runs of Dagster. Whatever waits for Dagster waits in a thread of its own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request

from zenith_serving.jobs.launcher import Launcher
from zenith_serving.problem_details import RESPONSES
from zenith_serving.routes.dependencies import PREFIX, SideThreads
from zenith_serving.schemas.jobs import JobRequest, Launched, Run, TrainRequest
from zenith_serving.security.authentication import require_key

router = APIRouter(prefix=PREFIX, tags=["runs"], responses=RESPONSES)


async def _launcher(request: Request) -> Launcher:
    launcher: Launcher = request.app.state.launcher
    return launcher


async def _threads(request: Request) -> SideThreads:
    threads: SideThreads = request.app.state.dagster_threads
    return threads


LauncherDep = Annotated[Launcher, Depends(_launcher)]
ThreadsDep = Annotated[SideThreads, Depends(_threads)]
JobName = Annotated[str, Path(max_length=64, examples=["refresh_prices"])]


@router.post("/train", status_code=202, dependencies=[Depends(require_key)])
async def train(asked: TrainRequest, launcher: LauncherDep, threads: ThreadsDep) -> Launched:
    """Train a ticker's models anew, in a run of Dagster. Whether one becomes Production, its gates decide."""
    return await threads.run(lambda: launcher.train(asked))


@router.get("/train/{run_id}")
async def training(run_id: UUID, launcher: LauncherDep, threads: ThreadsDep) -> Run:
    """How a training goes."""
    return await threads.run(lambda: launcher.run(str(run_id)))


@router.post("/jobs/{name}", status_code=202, dependencies=[Depends(require_key)])
async def start_job(name: JobName, asked: JobRequest, launcher: LauncherDep, threads: ThreadsDep) -> Launched:
    """Start a job: refresh_prices, evaluate_model, retrain_all_models, cleanup_old_models, clear_prediction_cache."""
    return await threads.run(lambda: launcher.start(name, asked))


@router.get("/jobs/runs/{run_id}")
async def job_run(run_id: UUID, launcher: LauncherDep, threads: ThreadsDep) -> Run:
    """How a run of a job goes."""
    return await threads.run(lambda: launcher.run(str(run_id)))
