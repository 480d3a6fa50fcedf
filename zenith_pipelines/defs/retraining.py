"""Retraining of many tickers at once: a job that says which, and a sensor that launches a run for each.

A run is one ticker in one process, so the job itself trains nothing. Dagster has no public way for a run to launch
others; a sensor's requests go through the instance's queue and its limits (docs/decisions/0020).
"""

from typing import Any, Literal

import dagster as dg
from pydantic import Field

from zenith_core.errors import NotAvailable
from zenith_core.market.exchanges import listed_tickers
from zenith_pipelines.defs.jobs import retrain_model
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.run_requests import retrain_request
from zenith_pipelines.execution.ticker_run import check_model_type
from zenith_pipelines.tickers import known_tickers, present_tickers


class RetrainConfig(dg.Config):
    """Which models of which tickers are to be trained again."""

    tickers: list[str] = Field(default=[], description="All tickers if empty.")
    model_type: Literal["lstm", "ensemble", "all"] = Field(default="all", description="Which models.")
    epochs: int | None = Field(default=None, ge=1, le=500, description="Passes of the LSTM; the default if empty.")


@dg.op
def tickers_to_retrain(context: dg.OpExecutionContext, config: RetrainConfig, zenith: ZenithResource) -> None:
    """Look whether each ticker is there and can be trained so, before any run is launched."""
    tickers = _tickers(context.instance, config)
    for ticker in tickers:
        check_model_type(zenith.store, ticker, config.model_type)
    context.add_output_metadata({"tickers": tickers, "runs": len(tickers)})


@dg.job
def retrain_all_models() -> None:
    """Retrain some tickers, or all: one run of retrain_model for each, launched by the sensor requested_retraining."""
    tickers_to_retrain()


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[retrain_all_models],
    request_job=retrain_model,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches the runs that a run of retrain_all_models asked for.",
)
def requested_retraining(context: dg.RunStatusSensorContext) -> list[dg.RunRequest]:
    """Launches the runs that a run of retrain_all_models asked for."""
    run = context.dagster_run
    ops: dict[str, Any] = dict(run.run_config.get("ops") or {})  # type: ignore[call-overload]
    config = RetrainConfig(**ops.get("tickers_to_retrain", {}).get("config", {}))
    return [
        retrain_request(ticker, run_key=f"{run.run_id}-{ticker}", model_type=config.model_type, epochs=config.epochs)
        for ticker in _tickers(context.instance, config)
    ]


def _tickers(instance: dg.DagsterInstance, config: RetrainConfig) -> list[str]:
    """The tickers asked for. Raises NotAvailable for one that is not there, and if there is none at all."""
    if config.tickers:
        return present_tickers(instance, listed_tickers(",".join(config.tickers)))
    if tickers := known_tickers(instance):
        return tickers
    raise NotAvailable("there are no tickers yet: `zenith tickers add AAPL`")
