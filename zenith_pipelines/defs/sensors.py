"""Sensors that launch runs or repair state: ticker sync, refresh, requested retraining, dead runs.

In scope: how often a sensor runs and what it launches. Decisions are in pure modules. Runs that take too long
do not belong here: Dagster's own monitoring ends them.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from inspect import getdoc
from typing import Any

import dagster as dg

from zenith_core.asset_selection import REFRESH_BATCH, RETRAIN_BATCH
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import last_closed_session
from zenith_pipelines.dagster_runtime.dead_runs import fail_dead_runs
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.defs import batches, jobs
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.run_requests import batch_requests, requester
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import SERVED, SyncState, known_tickers, plan_ticker_sync, select_tickers

ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def always_on_sensor(
    seconds: int, *, job: Any = None, name: str | None = None
) -> Callable[[Callable[..., Any]], dg.SensorDefinition]:
    """Make a sensor that is on from the start, runs every `seconds` and launches `job`. The UI shows its docstring."""

    def decorated(function: Callable[..., Any]) -> dg.SensorDefinition:
        return dg.sensor(
            name=name,
            job=job,
            minimum_interval_seconds=seconds,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description=getdoc(function),
        )(function)

    return decorated


@always_on_sensor(seconds=15)
def tickers_in_step(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Adds the tickers of ZENITH_TICKERS, deletes those it no longer names, withdraws removed ones from serving."""
    settings = Settings()
    state = SyncState.from_json(json.loads(context.cursor)) if context.cursor else SyncState()
    plan = plan_ticker_sync(settings.tickers, known_tickers(context.instance), state)
    store = DatasetStore(settings.data_uri)
    for ticker in plan.withdraw:
        store.withdraw(SERVED, ticker)
    requests = [
        *([ticker_partitions.build_add_request(list(plan.add))] if plan.add else ()),
        *([ticker_partitions.build_delete_request(list(plan.delete))] if plan.delete else ()),
    ]
    skip_reason = None if requests else "the tickers are in step"
    return dg.SensorResult(
        dynamic_partitions_requests=requests, cursor=json.dumps(plan.state.to_json()), skip_reason=skip_reason
    )


@always_on_sensor(seconds=60, job=batches.refresh_batch)
def refresh_after_close(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Refreshes each ticker once a session of its exchange has been closed for ZENITH_REFRESH_DELAY minutes.

    They are refreshed in batches of ZENITH_BATCH_SIZE. Only the newest closed session counts, so one run makes up for
    those that were missed. A new ticker is refreshed at once.
    """
    settings = Settings()
    closed_by = _now() - timedelta(minutes=settings.zenith_refresh_delay)
    refreshes = json.loads(context.cursor or "{}")
    exchanges = {ticker: exchange_of(ticker) for ticker in known_tickers(context.instance)}
    newest = {exchange: last_closed_session(exchange, closed_by).isoformat() for exchange in set(exchanges.values())}
    sessions = {ticker: newest[exchange] for ticker, exchange in exchanges.items()}
    due = {ticker: session for ticker, session in sessions.items() if session > refreshes.get(ticker, "")}
    requests = [
        request
        for session in sorted(set(due.values()))
        for request in batch_requests(
            REFRESH_BATCH,
            [ticker for ticker in due if due[ticker] == session],
            settings.zenith_batch_size,
            run_key=session,
        )
    ]
    return dg.SensorResult(
        run_requests=requests,
        cursor=json.dumps({ticker: max(session, refreshes.get(ticker, "")) for ticker, session in sessions.items()}),
        skip_reason=None if requests else "no session has closed since the last refresh",
    )


@always_on_sensor(seconds=60, job=jobs.forecast_universe)
def universe_after_refresh(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Forecasts all tickers together once snapshots are new and no run that writes one is active or waits."""
    latest = context.instance.get_latest_materialization_event(dg.AssetKey(SERVED))
    newest = str(latest.timestamp) if latest else ""
    if newest == (context.cursor or ""):
        return dg.SkipReason("no snapshot is new")
    for job in (jobs.refresh_prices, jobs.retrain_model, batches.refresh_batch, batches.retrain_batch):
        active = dg.RunsFilter(job_name=job.name, statuses=ACTIVE)
        if context.instance.get_runs(active, limit=1):
            return dg.SkipReason(f"a run of {job.name} is active or waits")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=newest)], cursor=newest)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[jobs.retrain_all_models],
    request_job=batches.retrain_batch,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the runs that a run of retrain_all_models requests.",
)
def requested_retraining(context: dg.RunStatusSensorContext) -> list[dg.RunRequest]:
    """Launches the runs that a run of retrain_all_models requests."""
    run = context.dagster_run
    ops: dict[str, Any] = dict(run.run_config.get("ops") or {})  # type: ignore[call-overload]
    config = jobs.RetrainConfig(**ops.get("tickers_to_retrain", {}).get("config", {}))
    return batch_requests(
        RETRAIN_BATCH,
        select_tickers(context.instance, config.tickers),
        Settings().zenith_batch_size,
        run_key=run.run_id,
        options=config.model_dump(include={"model_type", "epochs", "models"}, exclude_defaults=True),
        by=requester(run.tags),
    )


@always_on_sensor(seconds=5, name="orphan_reaper")
def dead_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Marks runs as failed whose process was killed, and frees their slots of pools."""
    dead = fail_dead_runs(Settings())
    return dg.SkipReason(f"failed, because their process was killed: {', '.join(dead)}" if dead else "no run is dead")


def _now() -> datetime:
    return datetime.now(UTC)
