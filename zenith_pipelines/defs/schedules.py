"""Schedules: jobs by the clock, on from the start, with the time zone and cron expressions of the settings.

In scope: when a job runs. The refresh after an exchange's close is a sensor (zenith_pipelines.defs.sensors),
because exchanges have holidays, half days and their own time zones.

If ticks were missed because the machine was off, Dagster evaluates only the latest of them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from zenith_core.asset_selection import RETRAIN_BATCH
from zenith_core.errors import UserError
from zenith_pipelines.defs import batches, jobs
from zenith_pipelines.defs.run_requests import batch_requests
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import known_tickers

Requests = Iterator[dg.RunRequest | dg.SkipReason]
Evaluation = Callable[[dg.ScheduleEvaluationContext], Requests]


def make_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Return all schedules. Raises UserError for an invalid cron expression."""
    return [
        _schedule(settings, "weekly_retraining", "zenith_retrain_cron", batches.retrain_batch, _every_ticker),
        _schedule(settings, "weekly_scale", "zenith_scale_cron", jobs.learn_scale, _once),
        _schedule(settings, "weekly_books", "zenith_scale_cron", jobs.backtest_books, _once),
        _schedule(settings, "monthly_cleanup", "zenith_cleanup_cron", jobs.cleanup_old_models, _once),
        _schedule(settings, "daily_cache_clearing", "zenith_cache_cron", jobs.clear_prediction_cache, _once),
    ]


def _every_ticker(context: dg.ScheduleEvaluationContext) -> Requests:
    """Retrains every ticker that exists at the tick, in batches of ZENITH_BATCH_SIZE."""
    tick = context.scheduled_execution_time.isoformat()
    tickers = known_tickers(context.instance)
    if not tickers:
        yield dg.SkipReason("there are no tickers yet")
    yield from batch_requests(RETRAIN_BATCH, tickers, Settings().zenith_batch_size, run_key=tick)


def _once(context: dg.ScheduleEvaluationContext) -> Requests:
    yield dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())


def _schedule(settings: Settings, name: str, setting: str, job: Any, evaluation: Evaluation) -> dg.ScheduleDefinition:
    """Schedule `job` by the cron expression in `setting`."""
    cron = getattr(settings, setting)
    try:
        return dg.ScheduleDefinition(
            name=name,
            description=(evaluation.__doc__ or job.description or "").strip(),
            job=job,
            cron_schedule=cron,
            execution_timezone=settings.zenith_timezone,
            execution_fn=evaluation,
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    except dg.DagsterInvalidDefinitionError:
        raise UserError(
            f"{setting.upper()} {cron!r} is not a cron expression: expected five fields, such as 0 2 * * 0"
        ) from None
