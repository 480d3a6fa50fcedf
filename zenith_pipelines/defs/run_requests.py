"""Runs as schedules and sensors ask the daemon for them, one ticker each."""

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


def retrain_request(
    ticker: str, *, run_key: str, model_type: str = ALL, epochs: int | None = None, reason: str | None = None
) -> dg.RunRequest:
    """A run of `retrain_model`; a run key is launched once. `reason` is shown with the run."""
    return dg.RunRequest(
        job_name=RETRAIN,
        partition_key=ticker,
        run_key=run_key,
        run_config={"ops": ops} if (ops := training_config(epochs if model_type != "ensemble" else None)) else {},
        asset_selection=_selection(assets_to_retrain(model_type), STAGES),
        tags={"zenith/reason": reason} if reason else {},
    )


def refresh_request(ticker: str, *, run_key: str, forecasts: bool) -> dg.RunRequest:
    """A run of `refresh_prices`; a run key is launched once. `forecasts`: whether there are some to score."""
    return dg.RunRequest(
        job_name=REFRESH,
        partition_key=ticker,
        run_key=run_key,
        asset_selection=_selection(assets_to_refresh(forecasts=forecasts), REFRESH_ASSETS),
    )


def _selection(assets: tuple[str, ...], of: tuple[str, ...]) -> list[dg.AssetKey] | None:
    """Keys of some assets of a job; None for all of them."""
    return None if assets == of else [dg.AssetKey(asset) for asset in assets]
