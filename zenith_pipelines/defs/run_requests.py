"""Run requests of schedules and sensors, for one ticker or for a batch, and the check of models to train alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.storage.tags import SCHEDULE_NAME_TAG, SENSOR_NAME_TAG

from zenith_core.asset_selection import (
    ALL,
    REFRESH_BATCH,
    RETRAIN,
    RETRAIN_BATCH,
    STAGES,
    assets_to_retrain,
    training_config,
)
from zenith_core.errors import UserError
from zenith_core.model_kinds.configuration import Configuration
from zenith_core.model_kinds.table import KINDS
from zenith_core.names import REQUESTED_BY
from zenith_pipelines.datasets.store import DatasetStore

BATCH_OPS = {RETRAIN_BATCH: "retrain_each", REFRESH_BATCH: "refresh_each"}
BATCH = "zenith/batch"
"""The tag of a ticker's run inside a batch: the id of the batch's run, or of the first if it was repeated."""

ATTEMPTS = 2  # at a ticker whose run died: a run that kills its process must not end its batch
_SECONDS = 7200  # that a ticker may take, as max_runtime_seconds in dagster.yaml


def batch_requests(
    job: str,
    tickers: Sequence[str],
    size: int,
    *,
    run_key: str,
    options: Mapping[str, Any] | None = None,
    by: str | None = None,
) -> list[dg.RunRequest]:
    """Request runs of a batch job for all tickers, at most `size` in each.

    run_key:  what is the same for all of them; Dagster launches a batch with the same first ticker once
    options:  of the retraining
    by:       the origin of the request, if it is not the schedule or sensor that makes it
    """
    batches = [list(tickers[start : start + size]) for start in range(0, len(tickers), size)]
    return [
        dg.RunRequest(
            job_name=job,
            run_key=f"{batch[0]}-{run_key}",
            run_config={"ops": {BATCH_OPS[job]: {"config": {"tickers": batch, **(options or {})}}}},
            tags={
                "dagster/max_retries": str(ATTEMPTS * len(batch)),  # each retry leaves less to do, so a batch ends
                "dagster/max_runtime": str(_SECONDS * len(batch)),
                **({REQUESTED_BY: by} if by else {}),
            },
        )
        for batch in batches
    ]


def retrain_request(
    ticker: str,
    *,
    run_key: str,
    model_type: str = ALL,
    epochs: int | None = None,
    models: Configuration | None = None,
    reason: str | None = None,
    by: str | None = None,
    report: bool = True,
) -> dg.RunRequest:
    """Request a run of `retrain_model`. Dagster launches a run key once; `reason` is shown with the run.

    by:      the origin of the request, if it is not the schedule or sensor that makes it
    report:  the run draws the report
    """
    assets = tuple(asset for asset in assets_to_retrain(model_type) if report or asset != "backtest_report")
    return dg.RunRequest(
        job_name=RETRAIN,
        partition_key=ticker,
        run_key=run_key,
        run_config={"ops": ops} if (ops := training_config(epochs, models, model_type=model_type)) else {},
        asset_selection=_selection(assets, STAGES),
        tags={**({"zenith/reason": reason} if reason else {}), **({REQUESTED_BY: by} if by else {})},
    )


def requester(tags: Mapping[str, str]) -> str | None:
    """Return who requested a run, from its tags: an API key, a schedule or a sensor; None for a person in the UI."""
    if REQUESTED_BY in tags:
        return tags[REQUESTED_BY]
    automations = {"schedule": SCHEDULE_NAME_TAG, "sensor": SENSOR_NAME_TAG}
    return next((f"{kind} {tags[tag]}" for kind, tag in automations.items() if tag in tags), None)


def check_model_type(store: DatasetStore, ticker: str, model_type: str) -> None:
    """Raise UserError if the ticker lacks a model that would not be trained: report and promotion need all."""
    for kind in KINDS:
        if model_type not in (kind, ALL) and not store.exists(f"{kind}_model", ticker):
            raise UserError(f"{ticker} has no {kind} model yet: train all of them the first time")


def _selection(assets: tuple[str, ...], of: tuple[str, ...]) -> list[dg.AssetKey] | None:
    """Return the keys of some assets of a job, or None for all of them."""
    return None if assets == of else [dg.AssetKey(asset) for asset in assets]
