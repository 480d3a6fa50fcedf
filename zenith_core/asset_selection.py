"""The assets that each job of a ticker materializes.

Names only, so that runs can be requested without loading definitions, and from serving, which has no Dagster.
"""

from zenith_core.model_kinds.configuration import Configuration
from zenith_core.model_kinds.table import KINDS, TRAINING_ORDER, kinds_with

# In the order in which a run materializes them and progress shows them.
STAGES = (
    "raw_prices",
    "cleaned_prices",
    "indicator_features",
    "serving_snapshot",
    *(f"{kind}_{part}" for kind in TRAINING_ORDER for part in ("model", "backtest")),
    "production_models",
    "leaderboard",
    "forecast_ledger",
    "backtest_report",
)

PRICE_SOURCES = "price_sources"  # the Dagster pool whose limit is the number of runs that may query a source at once
RETRAIN, REFRESH = "retrain_model", "refresh_prices"
RETRAIN_BATCH, REFRESH_BATCH = "retrain_batch", "refresh_batch"  # many tickers in one run
DRAW_REPORT = "draw_report"
REFRESH_JOBS = (REFRESH, REFRESH_BATCH)
ALL = "all"  # the model type that stands for all kinds
END_CHECK = "cleaned_prices_end_not_before_served"  # Dagster's op of the check
REFRESH_ASSETS = ("raw_prices", "cleaned_prices", "indicator_features", "serving_snapshot", "forecast_ledger")


def assets_to_retrain(model_type: str) -> tuple[str, ...]:
    """Return the assets of a retraining of `model_type`, a kind or ALL; the other models are not trained."""
    others = [kind for kind in KINDS if model_type not in (kind, ALL)]
    return tuple(stage for stage in STAGES if stage.rpartition("_")[0] not in others)


def assets_to_refresh(*, forecasts: bool) -> tuple[str, ...]:
    """Return the assets of a refresh; without `forecasts`, for a ticker that has none yet, no forecast ledger."""
    return REFRESH_ASSETS if forecasts else REFRESH_ASSETS[:-1]


def training_config(
    epochs: int | None = None,
    models: Configuration | None = None,
    *,
    model_type: str = ALL,
    allow_earlier_end: bool = False,
) -> dict[str, object]:
    """Return the `ops` of a run config that trains models with a configuration, the defaults for all that it lacks.

    epochs:             of the networks, unless `models` has it
    allow_earlier_end:  the data may end before those that are served
    """
    common = {kind: {"epochs": epochs} for kind in kinds_with("epochs") if epochs}
    options = {kind: {**common.get(kind, {}), **(models or {}).get(kind, {})} for kind in KINDS}
    trained = {kind: values for kind, values in options.items() if values and model_type in (kind, ALL)}
    ops: dict[str, object] = {f"{kind}_model": {"config": values} for kind, values in trained.items()}
    if windows := [values["window"] for values in trained.values() if "window" in values]:
        ops["serving_snapshot"] = {"config": {"window": max(windows)}}
    if allow_earlier_end:
        ops[END_CHECK] = {"config": {"allow_earlier_end": True}}
    return ops
