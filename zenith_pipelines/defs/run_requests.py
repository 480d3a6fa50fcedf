"""Run requests of schedules and sensors, one ticker each, and the check which models may be trained alone."""

import dagster as dg

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
from zenith_pipelines.datasets.store import DatasetStore


def retrain_request(
    ticker: str, *, run_key: str, model_type: str = ALL, epochs: int | None = None, reason: str | None = None
) -> dg.RunRequest:
    """Request a run of `retrain_model`. Dagster launches a run key once; `reason` is shown with the run."""
    return dg.RunRequest(
        job_name=RETRAIN,
        partition_key=ticker,
        run_key=run_key,
        run_config={"ops": ops} if (ops := training_config(epochs if model_type != "ensemble" else None)) else {},
        asset_selection=_selection(assets_to_retrain(model_type), STAGES),
        tags={"zenith/reason": reason} if reason else {},
    )


def refresh_request(ticker: str, *, run_key: str, forecasts: bool) -> dg.RunRequest:
    """Request a run of `refresh_prices`. Dagster launches a run key once; `forecasts`: there are some to score."""
    return dg.RunRequest(
        job_name=REFRESH,
        partition_key=ticker,
        run_key=run_key,
        asset_selection=_selection(assets_to_refresh(forecasts=forecasts), REFRESH_ASSETS),
    )


def check_model_type(store: DatasetStore, ticker: str, model_type: str) -> None:
    """Raise UserError if the ticker lacks a model that would not be trained: report and promotion need both."""
    for kind in KINDS:
        if model_type not in (kind, ALL) and not store.exists(f"{kind}_model", ticker):
            raise UserError(f"{ticker} has no {kind} model yet: train all of them the first time")


def _selection(assets: tuple[str, ...], of: tuple[str, ...]) -> list[dg.AssetKey] | None:
    """Return the keys of some assets of a job, or None for all of them."""
    return None if assets == of else [dg.AssetKey(asset) for asset in assets]
