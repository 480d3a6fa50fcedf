"""Runs of Dagster's jobs, launched one at a time: who asks for what is under way already gets that run.

The choices are in docs/decisions/0028-training-through-dagster.md.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zenith_core.asset_selection import (
    ALL,
    REFRESH,
    REFRESH_ASSETS,
    RETRAIN,
    STAGES,
    assets_to_refresh,
    assets_to_retrain,
    training_config,
)
from zenith_core.errors import UserError
from zenith_core.names import KINDS
from zenith_serving.errors import UnknownTicker, nearby
from zenith_serving.jobs.dagster_client import PARTITION, DagsterAPI, Job
from zenith_serving.jobs.launch_lock import launch_lock
from zenith_serving.jobs.launchable_jobs import launchable
from zenith_serving.schemas.jobs import JobRequest, Launched, ModelType, Run, RunStatus, TrainRequest
from zenith_serving.settings import Settings

ASKED = "zenith/asked"  # the tag with what a run was asked for, by which the same is known again
_STATUS: Mapping[str, RunStatus] = {
    **{"QUEUED": "queued", "NOT_STARTED": "starting", "MANAGED": "starting", "STARTING": "starting"},
    **{"STARTED": "running", "SUCCESS": "succeeded", "FAILURE": "failed"},
    **{"CANCELING": "canceling", "CANCELED": "canceled"},
}


class Launcher:
    """Launches runs and tells how they go. Safe to share between threads.

    prefix: where the API begins
    """

    def __init__(self, settings: Settings, dagster: DagsterAPI, prefix: str) -> None:
        self._settings = settings
        self._dagster = dagster
        self._prefix = prefix

    def train(self, asked: TrainRequest) -> Launched:
        """Train a ticker's models, unless a run that trains as much is under way for it.

        Raises UnknownTicker, UserError if the ticker lacks the model that is not to be trained, or DagsterUnavailable.
        """
        ticker, model_type = asked.ticker, asked.model_type
        others = [f"{kind}_model" for kind in KINDS if model_type not in (kind, ALL)]
        with launch_lock(self._settings, f"{RETRAIN} {ticker}"):
            for run in self._dagster.active_runs(tags={PARTITION: ticker}):
                if _kinds(asked.model_type) <= trained_by(run):
                    return self._launched(run, "train", already_running=True)
            made = assets_to_retrain(model_type)
            job = Job(RETRAIN, ticker, None if made == STAGES else made)
            ready = self._dagster.readiness(job, others)
            _require_ticker(ticker, ready.tickers)
            if set(others) - ready.made:
                raise UserError("this ticker lacks the other model: train all of them the first time")
            run = self._dagster.launch(job, training_config(asked.epochs), {PARTITION: ticker})
        return self._launched(run, "train", already_running=False)

    def start(self, name: str, asked: JobRequest) -> Launched:
        """Start a job of `zenith_serving.jobs.launchable_jobs`, unless the same is under way.

        Raises UnknownJob, UnknownTicker, UserError for what the job does not take, or DagsterUnavailable.
        """
        ops = launchable(name).ops(name, asked)
        tags = {ASKED: json.dumps(ops, sort_keys=True), **({PARTITION: asked.ticker} if asked.ticker else {})}
        with launch_lock(self._settings, f"{name} {asked.ticker}"):
            if running := self._dagster.active_runs(job=name, tags=tags):
                return self._launched(running[0], "jobs/runs", already_running=True)
            ready = self._dagster.readiness(Job(name, asked.ticker), [REFRESH_ASSETS[-1]])
            if asked.ticker:
                _require_ticker(asked.ticker, ready.tickers)
            assets = assets_to_refresh(forecasts=REFRESH_ASSETS[-1] in ready.made) if name == REFRESH else None
            run = self._dagster.launch(Job(name, asked.ticker, assets), ops, tags)
        return self._launched(run, "jobs/runs", already_running=False)

    def run(self, run_id: str) -> Run:
        """How a run goes. Raises UnknownRun or DagsterUnavailable."""
        run, daemon_is_alive = self._dagster.run(run_id)
        status = _STATUS[run["status"]]
        waits_in_vain = status in ("queued", "starting") and not daemon_is_alive
        return Run(
            run_id=run["runId"],
            job=run["jobName"],
            ticker=_partition(run),
            model_type=_model_type(run),
            status=status,
            started_at=_moment(run["startTime"]),
            ended_at=_moment(run["endTime"]),
            url=self._dagster.page(run["runId"]),
            error=self._dagster.failure(run["runId"]) if status == "failed" else None,
            note="queued, no daemon is running" if waits_in_vain else None,
        )

    def _launched(self, run: Mapping[str, Any], place: str, *, already_running: bool) -> Launched:
        run_id = run["runId"]
        return Launched(
            run_id=run_id,
            status=_STATUS[run["status"]],
            status_url=f"{self._prefix}/{place}/{run_id}",
            url=self._dagster.page(run_id),
            already_running=already_running,
        )


def trained_by(run: Mapping[str, Any]) -> set[str]:
    """The kinds of model that a run trains, whoever launched it: by the assets it makes."""
    if run["assetSelection"] is None:
        return set(KINDS) if run["jobName"] == RETRAIN else set()
    made = {asset["path"][-1] for asset in run["assetSelection"]}
    return {kind for kind in KINDS if f"{kind}_model" in made}


def _kinds(model_type: ModelType) -> set[str]:
    return set(KINDS) if model_type == ALL else {model_type}


def _model_type(run: Mapping[str, Any]) -> ModelType | None:
    found = [kind for kind in KINDS if kind in trained_by(run)]
    return None if not found else "all" if len(found) > 1 else found[0]


def _require_ticker(ticker: str, known: list[str]) -> None:
    if ticker not in known:
        raise UnknownTicker(nearby(ticker, known), "not among the tickers", "`zenith tickers add TICKER` adds it")


def _partition(run: Mapping[str, Any]) -> str | None:
    return next((tag["value"] for tag in run["tags"] if tag["key"] == PARTITION), None)


def _moment(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
