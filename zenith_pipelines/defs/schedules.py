"""Schedules: what runs by the clock, from the start, in the time zone and by the cron expressions of the settings.

What belongs here: when. A job's work is in its own file. What follows an exchange's close is a sensor
(zenith_pipelines/defs/sensors.py), since exchanges have holidays and half days, and clocks of their own.

A tick that was missed, because the machine was off, is made up for once: Dagster evaluates the latest one only.
"""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from zenith_core.errors import UserError
from zenith_pipelines.defs import cache, jobs, upkeep
from zenith_pipelines.defs.run_requests import retrain_request
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import known_tickers

Requests = Iterator[dg.RunRequest | dg.SkipReason]
Evaluation = Callable[[dg.ScheduleEvaluationContext], Requests]


def make_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """All schedules. Raises UserError for a setting that is no cron expression."""
    return [
        _schedule(settings, "weekly_retraining", "zenith_retrain_cron", jobs.retrain_model, _every_ticker),
        _schedule(settings, "monthly_cleanup", "zenith_cleanup_cron", upkeep.cleanup_old_models, _once),
        _schedule(settings, "daily_cache_clearing", "zenith_cache_cron", cache.clear_prediction_cache, _once),
    ]


def _every_ticker(context: dg.ScheduleEvaluationContext) -> Requests:
    """A run for each ticker that is there at the tick."""
    tick = context.scheduled_execution_time.isoformat()
    tickers = known_tickers(context.instance)
    if not tickers:
        yield dg.SkipReason("there are no tickers yet")
    for ticker in tickers:
        yield retrain_request(ticker, run_key=f"{ticker}-{tick}")


def _once(context: dg.ScheduleEvaluationContext) -> Requests:
    yield dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())


def _schedule(settings: Settings, name: str, setting: str, job: Any, evaluation: Evaluation) -> dg.ScheduleDefinition:
    """`job` by the cron expression of `setting`."""
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
            f"{setting.upper()} {cron!r} is no cron expression: expected five fields, such as 0 2 * * 0"
        ) from None
