"""Batches: one run that works through many tickers in its process, which imports the learning libraries once.

A retraining gives each ticker a run of its own inside the batch, of the same job as if it were launched alone: so its
history, checks, decisions and retries are those of a single run. A refresh records its tickers in the batch's run,
because a run of its own would cost more than the refresh. In scope: which ticker comes next, and what a repeated batch
leaves out. Out of scope: the division of tickers into batches, which is in `run_requests`.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
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

from zenith_core.asset_selection import DRAW_REPORT, REFRESH_BATCH, RETRAIN, RETRAIN_BATCH, assets_to_refresh
from zenith_core.errors import RunEnded, ZenithError
from zenith_core.job_options import RetrainingOptions
from zenith_core.names import REQUESTED_BY
from zenith_pipelines.dagster_runtime.dead_runs import earlier_attempts, fail_dead_runs
from zenith_pipelines.dagster_runtime.failures import failure_of
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock, hold_ticker
from zenith_pipelines.defs.jobs import TRAINING_QUEUE
from zenith_pipelines.defs.refresh import FAILED, SKIPPED, refresh_ticker
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.run_requests import (
    ATTEMPTS,
    BATCH,
    BATCH_OPS,
    retrain_request,
)
from zenith_pipelines.defs.skips import skip_reason
from zenith_pipelines.tickers import PARTITIONS, select_tickers

_OWN_REASONS = {RunFailureReason.STEP_FAILURE.value, RunFailureReason.RUN_EXCEPTION.value}
_DONE = "done before"

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
) -> Iterator[Any]:
    """Retrain the tickers one after the other, each in a run of its own; one that fails fails alone."""
    batch = _Retraining(context, zenith, job_by_name, config)
    yield from batch.run(config.tickers)
    yield dg.Output(None, metadata=batch.summary)


@dg.op(name=BATCH_OPS[REFRESH_BATCH], out=dg.Out(dg.Nothing))
def refresh_each(context: dg.OpExecutionContext, config: RefreshBatch, zenith: ZenithResource) -> Iterator[Any]:
    """Refresh the tickers one after the other; after all of them fail with the reasons of those that failed."""
    batch = _Refreshes(context, zenith)
    yield from batch.run(config.tickers)
    failures = [f"{ticker} {outcome}" for ticker, outcome in batch.outcomes.items() if outcome.startswith(FAILED)]
    if failures:
        description = f"{len(failures)} of {len(batch.outcomes)} tickers: {'; '.join(failures)}"
        raise dg.Failure(description, metadata=batch.summary, allow_retries=False)
    yield dg.Output(None, metadata=batch.summary)


@dg.job(name=RETRAIN_BATCH, tags=TRAINING_QUEUE)
def retrain_batch() -> None:
    """Retrain many tickers in one process: a run of retrain_model for each, one after the other."""
    retrain_each()


@dg.job(name=REFRESH_BATCH, tags={**TRAINING_QUEUE, "zenith/refreshes": "batch"})  # which dagster.yaml limits
def refresh_batch() -> None:
    """Refresh many tickers in one process, one after the other: the assets of refresh_prices, recorded in this run."""
    refresh_each()


class _Batch(ABC):
    """The tickers of one batch, and the earlier runs of it that it repeats because their process died."""

    def __init__(self, context: dg.OpExecutionContext, zenith: ZenithResource) -> None:
        self._context, self._zenith, self._instance = context, zenith, context.instance
        self._attempts = earlier_attempts(context.instance, context.run_id)
        self.outcomes: dict[str, str] = {}

    @property
    def summary(self) -> dict[str, Any]:
        """The number of tickers by outcome, and the outcome of each, for the UI."""
        counts = Counter(outcome.partition(":")[0] for outcome in self.outcomes.values())
        return {"tickers": len(self.outcomes), **counts, "outcomes": dg.MetadataValue.json(self.outcomes)}

    def run(self, tickers: list[str]) -> Iterator[Any]:
        """Work on the tickers that are not done, and yield the events of each, which Dagster then records."""
        fail_dead_runs(self._zenith.settings)  # also the run at which an earlier attempt of this batch was killed
        names = self._in_order(tickers or select_tickers(self._instance, []))
        for count, ticker in enumerate(names, start=1):
            self._zenith.fence()
            if self._instance.has_dynamic_partition(PARTITIONS, ticker):
                with hold_ticker(self._zenith.settings, ticker, self._context.log):  # another run of it may be at work
                    self.outcomes[ticker] = self._work_on(ticker)
            else:
                self.outcomes[ticker] = "removed"
            self._context.log.info(f"{count} of {len(names)}: {ticker} {self.outcomes[ticker]}")
            yield from self._context.consume_events()  # or they would be recorded after the last ticker

    def _in_order(self, tickers: list[str]) -> list[str]:
        return tickers

    @abstractmethod
    def _work_on(self, ticker: str) -> str:
        """Do the work unless it is done; return the outcome, with the reason if it failed or was skipped."""


class _Retraining(_Batch):
    """The retraining of each ticker in a run of its own."""

    def __init__(
        self, context: dg.OpExecutionContext, zenith: ZenithResource, job_by_name: JobByName, config: RetrainBatch
    ) -> None:
        super().__init__(context, zenith)
        self._job_by_name = job_by_name
        self._options = config.model_dump(include={"model_type", "epochs", "models"})

    def _work_on(self, ticker: str) -> str:
        batches = [self._context.run_id, *self._attempts]
        runs = self._instance.get_runs(dg.RunsFilter(tags={BATCH: batches, PARTITION_NAME_TAG: ticker}))
        dead = [run for run in runs if _has_died(run)]
        if len(dead) < len(runs):
            return _DONE
        if len(dead) >= ATTEMPTS:
            return f"{FAILED}its process died {len(dead)} times"
        outcome = self._retrain(ticker, dead[0] if dead else None)
        if outcome == "ok" and self._has_promoted(ticker):  # the report of a model in Production is kept
            return self._execute(DRAW_REPORT, ticker)
        return outcome

    def _retrain(self, ticker: str, dead: dg.DagsterRun | None) -> str:
        """Run the job for the ticker, from where a dead run of it ended; return the outcome."""
        request = retrain_request(ticker, run_key=ticker, report=False, **self._options)
        assets, config = request.asset_selection, dict(request.run_config)
        tags: dict[str, str] = {}
        if dead:
            if not (assets := list(self._incomplete(assets, dead))):
                return _DONE
            names = {key.to_user_string() for key in assets}
            config["ops"] = {name: options for name, options in config.get("ops", {}).items() if name in names}
            tags = {PARENT_RUN_ID_TAG: dead.run_id, ROOT_RUN_ID_TAG: dead.run_id, RETRY_NUMBER_TAG: "1"}
        return self._execute(RETRAIN, ticker, config, assets, tags)

    def _execute(
        self,
        job: str,
        ticker: str,
        config: Mapping[str, Any] | None = None,
        assets: Sequence[dg.AssetKey] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Run the job for the ticker in this process; return the outcome."""
        run_id, by = str(uuid4()), self._zenith.requested_by
        tags = {
            BATCH: self._context.run_id,
            "dagster/max_retries": "0",  # the batch itself repeats the ticker
            **({REQUESTED_BY: by} if by else {}),
            **(tags or {}),
        }
        with hold_run_lock(self._zenith.settings, run_id):
            result = self._job_by_name(job).execute_in_process(
                instance=self._instance,
                run_id=run_id,
                partition_key=ticker,
                run_config={**(config or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=assets,
                tags=tags,
                raise_on_error=False,
            )
        if not result.success:
            return f"{FAILED}{failure_of(result)[0]}"
        reason = skip_reason(result.all_events)
        return f"{SKIPPED}{reason}" if reason else "ok"

    def _has_promoted(self, ticker: str) -> bool:
        store, name = self._zenith.store, "production_models"
        return store.exists(name, ticker) and any(item["promoted"] for item in store.facts(name, ticker).values())

    def _incomplete(self, assets: Sequence[dg.AssetKey] | None, dead: dg.DagsterRun) -> Iterator[dg.AssetKey]:
        """Return the assets that the dead run did not finish together with their checks."""
        successes = {
            step.step_key
            for step in self._instance.get_run_step_stats(dead.run_id)
            if step.status is StepEventStatus.SUCCESS
        }
        layer = self._job_by_name(RETRAIN).asset_layer
        for asset in assets or layer.selected_asset_keys:
            name = asset.to_user_string()
            checks = {f"{name}_{key.name}" for key in layer.asset_graph.asset_check_keys if key.asset_key == asset}
            if not {name, *checks} <= successes:
                yield asset


class _Refreshes(_Batch):
    """The refresh of each ticker, recorded in the run of the batch."""

    def __init__(self, context: dg.OpExecutionContext, zenith: ZenithResource) -> None:
        super().__init__(context, zenith)
        materializations = [
            log.asset_materialization
            for run_id in self._attempts
            for log in self._instance.all_logs(run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
        ]
        self._records = {(record.partition, record.asset_key.path[-1]) for record in materializations if record}

    def _in_order(self, tickers: list[str]) -> list[str]:
        """Return the tickers, last those at which an earlier run may have died, so that they hold up no other."""
        begun = {ticker for ticker, _ in self._records}
        return sorted(tickers, key=lambda ticker: ticker in begun and not self._is_done(ticker))

    def _work_on(self, ticker: str) -> str:
        if self._is_done(ticker):
            return _DONE
        try:
            return refresh_ticker(self._context, self._zenith, ticker)
        except RunEnded:
            raise
        except Exception as error:  # the other tickers go on
            self._context.log.exception(f"{ticker} failed")
            name = "" if isinstance(error, ZenithError) else f"{type(error).__name__}: "
            return f"{FAILED}{name}{' '.join(str(error).split())}"

    def _is_done(self, ticker: str) -> bool:
        last = assets_to_refresh(forecasts=self._zenith.store.exists("forecast_ledger", ticker))[-1]
        return (ticker, last) in self._records


def _has_died(run: dg.DagsterRun) -> bool:
    """Return True if the run failed without an error of its own: its process was killed."""
    reason = run.tags.get(RUN_FAILURE_REASON_TAG)
    return run.status is dg.DagsterRunStatus.FAILURE and reason not in _OWN_REASONS
