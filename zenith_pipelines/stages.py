"""Which assets each job of a ticker makes, as `zenith_core.stages` has it for pipelines and serving alike."""

from zenith_core.stages import (
    ALL,
    MODEL_TYPES,
    PRICE_SOURCES,
    REFRESH,
    REFRESHED,
    RETRAIN,
    STAGES,
    refreshed,
    retrained,
    training_config,
)

__all__ = [
    "ALL",
    "MODEL_TYPES",
    "PRICE_SOURCES",
    "REFRESH",
    "REFRESHED",
    "RETRAIN",
    "STAGES",
    "refreshed",
    "retrained",
    "training_config",
]
