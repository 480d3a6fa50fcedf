"""Launch Dagster runs, once: a request for a run that is already active gets that run.

The choices are in docs/decisions/0028-training-through-dagster.md.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zenith_core.asset_selection import (
    ALL,
    END_CHECK,
    REFRESH,
    REFRESH_ASSETS,
    RETRAIN,
    STAGES,
    assets_to_refresh,
    assets_to_retrain,
    training_config,
)
from zenith_core.errors import UserError
from zenith_core.model_kinds.table import KINDS, MODEL_KINDS
from zenith_core.names import REQUESTED_BY
from zenith_serving.errors import TrainingActive, UnknownTicker, nearby
from zenith_serving.jobs.dagster_client import PARTITION, DagsterAPI, Job
from zenith_serving.jobs.launch_lock import launch_lock
from zenith_serving.jobs.launchable_jobs import launchable
from zenith_serving.schemas.jobs import JobRequest, Launched, Run, RunStatus, TrainRequest
from zenith_serving.settings import Settings

REQUEST_TAG = "zenith/asked"  # holds the config of a run, so that an identical request finds it
_STATUS: Mapping[str, RunStatus] = {
    **{"QUEUED": "queued", "NOT_STARTED": "starting", "MANAGED": "starting", "STARTING": "starting"},
    **{"STARTED": "running", "SUCCESS": "succeeded", "FAILURE": "failed"},
    **{"CANCELING": "canceling", "CANCELED": "canceled"},
}


class Launcher:
    """Launches runs and reports their state. Thread-safe. prefix: the path prefix of the API."""

    def __init__(self, settings: Settings, dagster: DagsterAPI, prefix: str) -> None:
        self._settings = settings
        self._dagster = dagster
        self._prefix = prefix

    def train(self, request: TrainRequest, by: str) -> Launched:
        """Train a ticker's models, or return the active run that trains them. `by` is recorded with its decisions.

        Raises UnknownTicker, DagsterUnavailable, TrainingActive if the active run has another configuration, or
        UserError if a model that will not be trained does not exist yet.
        """
        ticker, model_type = request.ticker, request.model_type
        other_models = [f"{kind}_model" for kind in KINDS if model_type not in (kind, ALL)]
        config = training_config(
            request.epochs, request.models, model_type=model_type, allow_earlier_end=request.allow_earlier_end
        )
        with launch_lock(self._settings, f"{RETRAIN} {ticker}"):
            for run in self._dagster.active_runs(tags={PARTITION: ticker}):
                if _kinds(model_type) <= trained_kinds(run):
                    if not honours(run["runConfig"], config):
                        raise TrainingActive(run["runId"])
                    return self._launched(run, "train", already_running=True)
            assets = assets_to_retrain(model_type)
            job = Job(RETRAIN, ticker, None if assets == STAGES else assets)
            readiness = self._dagster.readiness(job, other_models)
            _require_ticker(ticker, readiness.tickers)
            if set(other_models) - readiness.existing_assets:
                raise UserError("this ticker lacks the other model: the first time, train all models")
            run = self._dagster.launch(job, config, {PARTITION: ticker, REQUESTED_BY: by})
        return self._launched(run, "train", already_running=False)

    def start(self, name: str, request: JobRequest, by: str) -> Launched:
        """Start a job of `zenith_serving.jobs.launchable_jobs`, or return the active run of the same request.

        Raises UnknownJob, UnknownTicker, DagsterUnavailable, or UserError if the request does not fit the job.
        """
        ticker = request.ticker
        ops = launchable(name).ops(name, request)
        tags = {REQUEST_TAG: json.dumps(ops, sort_keys=True), **({PARTITION: ticker} if ticker else {})}
        with launch_lock(self._settings, f"{name} {ticker}"):
            if runs := self._dagster.active_runs(job=name, tags=tags):
                return self._launched(runs[0], "jobs/runs", already_running=True)
            readiness = self._dagster.readiness(Job(name, ticker), [REFRESH_ASSETS[-1]])
            if ticker:
                _require_ticker(ticker, readiness.tickers)
            assets = (
                assets_to_refresh(forecasts=REFRESH_ASSETS[-1] in readiness.existing_assets)
                if name == REFRESH
                else None
            )
            run = self._dagster.launch(Job(name, ticker, assets), ops, {**tags, REQUESTED_BY: by})
        return self._launched(run, "jobs/runs", already_running=False)

    def run(self, run_id: str) -> Run:
        """Return the state of a run. Raises UnknownRun or DagsterUnavailable."""
        run, daemon_is_alive = self._dagster.run(run_id)
        status = _STATUS[run["status"]]
        note = "queued, no daemon is running" if status in ("queued", "starting") and not daemon_is_alive else None
        figures = None
        if status == "succeeded":
            figures, skip = self._dagster.result(run["runId"])
            note = skip and f"skipped: {skip}"
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
            figures=figures,
            note=note,
        )

    def _launched(self, run: Mapping[str, Any], path: str, *, already_running: bool) -> Launched:
        run_id = run["runId"]
        return Launched(
            run_id=run_id,
            status=_STATUS[run["status"]],
            status_url=f"{self._prefix}/{path}/{run_id}",
            url=self._dagster.page(run_id),
            already_running=already_running,
        )


def honours(run_config: Mapping[str, Any], ops: Mapping[str, Any]) -> bool:
    """Return True if a run has each option that the `ops` of a request state; the defaults stand for the others."""
    own = run_config.get("ops", {})
    for op, entry in ops.items():
        values = own.get(op, {}).get("config", {})
        kind = MODEL_KINDS.get(op.removesuffix("_model"))
        if kind:
            values = {name: field.default for name, field in kind.options.model_fields.items()} | values
        elif op != END_CHECK:  # the snapshot's window follows from a model's
            continue
        if any(values.get(name) != value for name, value in entry["config"].items()):
            return False
    return True


def trained_kinds(run: Mapping[str, Any]) -> set[str]:
    """Return the kinds of model that a run trains, judging by its assets."""
    if run["assetSelection"] is None:
        return set(KINDS) if run["jobName"] == RETRAIN else set()
    assets = {asset["path"][-1] for asset in run["assetSelection"]}
    return {kind for kind in KINDS if f"{kind}_model" in assets}


def _kinds(model_type: str) -> set[str]:
    return set(KINDS) if model_type == ALL else {model_type}


def _model_type(run: Mapping[str, Any]) -> str | None:
    kinds = [kind for kind in KINDS if kind in trained_kinds(run)]
    return None if not kinds else "all" if len(kinds) > 1 else kinds[0]


def _require_ticker(ticker: str, tickers: list[str]) -> None:
    if ticker not in tickers:
        raise UnknownTicker(nearby(ticker, tickers), "not among the tickers", "`zenith tickers add TICKER` adds it")


def _partition(run: Mapping[str, Any]) -> str | None:
    return next((tag["value"] for tag in run["tags"] if tag["key"] == PARTITION), None)


def _moment(timestamp: float | None) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
