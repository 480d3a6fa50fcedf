"""Which assets each job of a ticker makes. Names only, so that runs can be asked for without loading definitions,
and from serving, which knows no Dagster.
"""

from zenith_core.names import KINDS

# The order in which a run makes them, which is also the order in which progress shows them.
STAGES = (
    "raw_prices",
    "cleaned_prices",
    "indicator_features",
    "serving_snapshot",
    "ensemble_model",
    "ensemble_backtest",
    "lstm_model",
    "lstm_backtest",
    "backtest_report",
    "production_models",
    "forecast_ledger",
)

PRICE_SOURCES = "price_sources"  # the Dagster pool whose limit says how many runs may ask a source at once
RETRAIN, REFRESH = "retrain_model", "refresh_prices"
ALL = "all"  # the model type that stands for both kinds
REFRESH_ASSETS = ("raw_prices", "cleaned_prices", "indicator_features", "serving_snapshot", "forecast_ledger")


def assets_to_retrain(model_type: str) -> tuple[str, ...]:
    """What a retraining of `model_type`, a kind or ALL, makes: the other model stays as it was last trained."""
    others = [kind for kind in KINDS if model_type not in (kind, ALL)]
    return tuple(stage for stage in STAGES if stage.rpartition("_")[0] not in others)


def assets_to_refresh(*, forecasts: bool) -> tuple[str, ...]:
    """What a refresh makes; without `forecasts`, of a ticker that has none yet, no ledger of them."""
    return REFRESH_ASSETS if forecasts else REFRESH_ASSETS[:-1]


def training_config(epochs: int | None) -> dict[str, object]:
    """The run config's `ops` for so many passes of the LSTM over its data; the default if None."""
    return {"lstm_model": {"config": {"epochs": epochs}}} if epochs else {}
