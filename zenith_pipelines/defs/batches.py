"""Batches: one run that works through many tickers in its process, which imports the learning libraries once.

Each ticker has a run of its own inside the batch, of the same job as if it were launched alone. So its history, checks,
decisions and retries are those of a single run. In scope: which ticker comes next, and what a repeated batch leaves
out. Out of scope: the division of tickers into batches, which is in `run_requests`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from uuid import uuid4

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.execution.stats import StepEventStatus
from dagster._core.storage.tags import (
    PARENT_RUN_ID_TAG,
    PARTITION_NAME_TAG,
    RETRY_NUMBER_TAG,
    ROOT_RUN_ID_TAG,
    RUN_FAILURE_REASON_TAG,
)
from pydantic import Field

from zenith_core.asset_selection import REFRESH, RETRAIN
from zenith_core.job_options import RetrainingOptions
from zenith_core.names import REQUESTED_BY
from zenith_pipelines.dagster_runtime.dead_runs import fail_dead_runs
from zenith_pipelines.dagster_runtime.failures import failure_of
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.defs.jobs import TRAINING_QUEUE
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.run_requests import (
    ATTEMPTS,
    BATCH,
    BATCH_OPS,
    REFRESH_BATCH,
    RETRAIN_BATCH,
    refresh_request,
    retrain_request,
)
from zenith_pipelines.tickers import PARTITIONS, select_tickers

_IN_PROGRESS = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_OWN_REASONS = {RunFailureReason.STEP_FAILURE.value, RunFailureReason.RUN_EXCEPTION.value}
_WAIT_SECONDS = 2.0

JobByName = Callable[[str], dg.JobDefinition]
"""The resource that returns the job of a ticker's run."""


class RetrainBatch(dg.Config, RetrainingOptions):
    """The tickers of the batch, and the models to retrain."""


class RefreshBatch(dg.Config):
    """The tickers of the batch."""

    tickers: list[str] = Field(default=[], description="The tickers to refresh; all if empty.")


@dg.op(name=BATCH_OPS[RETRAIN_BATCH], out=dg.Out(dg.Nothing))
def retrain_each(
    context: dg.OpExecutionContext,
    config: RetrainBatch,
    zenith: ZenithResource,
    job_by_name: dg.ResourceParam[JobByName],
) -> dg.Output[None]:
    """Retrain the tickers one after the other, each in a run of its own; one that fails fails alone."""
    options = config.model_dump(include={"model_type", "epochs", "models"})

    def request(ticker: str) -> dg.RunRequest:
        return retrain_request(ticker, run_key=ticker, **options)

    return _Batch(context, zenith, job_by_name(RETRAIN), request).run(config.tickers)


@dg.op(name=BATCH_OPS[REFRESH_BATCH], out=dg.Out(dg.Nothing))
def refresh_each(
    context: dg.OpExecutionContext,
    config: RefreshBatch,
    zenith: ZenithResource,
    job_by_name: dg.ResourceParam[JobByName],
) -> dg.Output[None]:
    """Refresh the tickers one after the other, each in a run of its own; one that fails fails alone."""

    def request(ticker: str) -> dg.RunRequest:
        return refresh_request(ticker, run_key=ticker, forecasts=zenith.store.exists("forecast_ledger", ticker))

    return _Batch(context, zenith, job_by_name(REFRESH), request).run(config.tickers)


@dg.job(name=RETRAIN_BATCH, tags=TRAINING_QUEUE)
def retrain_batch() -> None:
    """Retrain many tickers in one process: a run of retrain_model for each, one after the other."""
    retrain_each()


@dg.job(name=REFRESH_BATCH, tags=TRAINING_QUEUE)
def refresh_batch() -> None:
    """Refresh many tickers in one process: a run of refresh_prices for each, one after the other."""
    refresh_each()


class _Batch:
    """The runs of one batch, and of the earlier batches that it repeats because their process died."""

    def __init__(
        self,
        context: dg.OpExecutionContext,
        zenith: ZenithResource,
        job: dg.JobDefinition,
        request: Callable[[str], dg.RunRequest],
    ) -> None:
        self._context, self._zenith, self._job, self._request = context, zenith, job, request
        self._instance = context.instance
        self._id = context.run.tags.get(ROOT_RUN_ID_TAG, context.run_id)

    def run(self, tickers: list[str]) -> dg.Output[None]:
        """Run the tickers that are not done; return how many succeeded, and the reasons of the others."""
        fail_dead_runs(self._zenith.settings)  # also the run at which an earlier attempt of this batch was killed
        names = tickers or select_tickers(self._instance, [])
        outcomes: dict[str, str] = {}
        for count, ticker in enumerate(names, start=1):
            self._zenith.fence()
            outcomes[ticker] = self._run_unless_done(ticker)
            self._context.log.info(f"{count} of {len(names)}: {ticker} {outcomes[ticker]}")
        counts = Counter(outcome.partition(":")[0] for outcome in outcomes.values())
        return dg.Output(None, metadata={"tickers": len(names), **counts, "outcomes": dg.MetadataValue.json(outcomes)})

    def _run_unless_done(self, ticker: str) -> str:
        if not self._instance.has_dynamic_partition(PARTITIONS, ticker):
            return "removed"
        self._wait_for_other_runs(ticker)
        runs = self._instance.get_runs(dg.RunsFilter(tags={BATCH: self._id, PARTITION_NAME_TAG: ticker}))
        dead = [run for run in runs if _has_died(run)]
        if len(dead) < len(runs):
            return "done before"
        if len(dead) >= ATTEMPTS:
            return f"failed: its process died {len(dead)} times"
        return self._run(ticker, dead[0] if dead else None)

    def _run(self, ticker: str, dead: dg.DagsterRun | None) -> str:
        """Run the job for the ticker, from where a dead run of it ended; return the outcome."""
        request, run_id = self._request(ticker), str(uuid4())
        assets, config = request.asset_selection, dict(request.run_config)
        tags = {BATCH: self._id, "dagster/max_retries": "0"}  # the batch itself repeats the ticker
        if by := self._zenith.requested_by:
            tags[REQUESTED_BY] = by
        if dead:
            if not (assets := list(self._incomplete(assets, dead))):
                return "done before"
            names = {key.to_user_string() for key in assets}
            config["ops"] = {name: options for name, options in config.get("ops", {}).items() if name in names}
            tags |= {PARENT_RUN_ID_TAG: dead.run_id, ROOT_RUN_ID_TAG: dead.run_id, RETRY_NUMBER_TAG: "1"}
        with hold_run_lock(self._zenith.settings, run_id):
            result = self._job.execute_in_process(
                instance=self._instance,
                run_id=run_id,
                partition_key=ticker,
                run_config={**config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=assets,
                tags=tags,
                raise_on_error=False,
            )
        return "ok" if result.success else f"failed: {failure_of(result)[0]}"

    def _incomplete(self, assets: Sequence[dg.AssetKey] | None, dead: dg.DagsterRun) -> Iterator[dg.AssetKey]:
        """Return the assets that the dead run did not finish together with their checks."""
        successes = {
            step.step_key
            for step in self._instance.get_run_step_stats(dead.run_id)
            if step.status is StepEventStatus.SUCCESS
        }
        layer = self._job.asset_layer
        for asset in assets or layer.selected_asset_keys:
            name = asset.to_user_string()
            checks = {f"{name}_{key.name}" for key in layer.asset_graph.asset_check_keys if key.asset_key == asset}
            if not {name, *checks} <= successes:
                yield asset

    def _wait_for_other_runs(self, ticker: str) -> None:
        """Wait until no other run of the ticker works, because two would write the same datasets."""
        running = dg.RunsFilter(statuses=_IN_PROGRESS, tags={PARTITION_NAME_TAG: ticker})
        while self._instance.get_runs(running, limit=1):
            time.sleep(_WAIT_SECONDS)
            fail_dead_runs(self._zenith.settings)


def _has_died(run: dg.DagsterRun) -> bool:
    """Return True if the run failed without an error of its own: its process was killed."""
    reason = run.tags.get(RUN_FAILURE_REASON_TAG)
    return run.status is dg.DagsterRunStatus.FAILURE and reason not in _OWN_REASONS
