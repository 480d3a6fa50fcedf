"""The configuration of each kind of model: defaults, bounds and descriptions, declared once.

Run config, the command line, REST and the reference show these fields; training gets the validated object.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from zenith_core.names import EARLIER_HORIZON, HEADLINE_HORIZON, HORIZONS, MAX_EPOCHS

DEFAULT_EPOCHS = 24
"""The most epochs of a network, unless its configuration says otherwise."""

DEFAULT_WINDOW = 60
"""The sessions that a network sees, unless its configuration says otherwise."""

LONGEST_WINDOW = 120
"""The most sessions that a network may see."""


def horizon_of(facts: Mapping[str, Any]) -> int:
    """Return a model's horizon from its facts: the configuration that it was trained with; earlier releases had one."""
    horizon: int = facts.get("study", {}).get("config", {}).get("horizon", EARLIER_HORIZON)
    return horizon


def _bounded(default: float | None, least: float, most: float, description: str) -> Any:
    """Declare a number with its bounds, which the description names too: no user interface shows the others."""
    return Field(default=default, ge=least, le=most, description=f"{description}, {least:g} to {most:g}.")


def window_of(facts: Mapping[str, Any]) -> int:
    """Return the sessions that a model sees, from its facts; earlier releases wrote it for networks alone."""
    window: int = facts.get("study", {}).get("config", {}).get("window", DEFAULT_WINDOW)
    return window


class ModelOptions(BaseModel):
    """The configuration that every kind of model has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon: int = _bounded(
        HEADLINE_HORIZON,
        1,
        HORIZONS,
        "Sessions ahead of a signal, or of the forecasts that are scored first and traded",
    )


class NetworkOptions(ModelOptions):
    """The configuration of a recurrent network."""

    epochs: int | None = _bounded(None, 1, MAX_EPOCHS, f"Most training epochs; {DEFAULT_EPOCHS} if left out")
    layers: int = _bounded(2, 1, 4, "Recurrent layers")
    units: int = _bounded(50, 1, 256, "Units of each recurrent layer")
    dropout: float = _bounded(0.2, 0, 0.9, "Share of units dropped after each recurrent layer")
    dense: int = _bounded(25, 1, 256, "Units of the dense layer")
    window: int = _bounded(DEFAULT_WINDOW, 10, LONGEST_WINDOW, "Sessions that the network sees")
    learning_rate: float = _bounded(1e-3, 1e-5, 0.1, "Step size of Adam")
    batch: int = _bounded(4, 1, 256, "Windows of a training batch")
    patience: int = _bounded(3, 0, 100, "Epochs without a better one before training stops")


class EnsembleOptions(ModelOptions):
    """The configuration of the vote of random forest and gradient boosting."""

    threshold: float = _bounded(0.5, 0.05, 3, "Return in deviations from which on a label is buy or sell")
    trees: int = _bounded(100, 1, 1000, "Trees of the random forest")
    depth: int = _bounded(4, 1, 20, "Depth of its trees")
    leaf_share: float = _bounded(0.05, 0.001, 0.5, "Least share of the training rows in a leaf")
    feature_share: float = _bounded(0.5, 0.05, 1, "Share of the features tried at each split")
    boosting_rounds: int = _bounded(100, 1, 1000, "Trees of the gradient boosting")
    boosting_depth: int = _bounded(1, 1, 10, "Depth of its trees")
    learning_rate: float = _bounded(0.05, 0.001, 1, "Weight of each tree of the boosting")
    row_share: float = _bounded(0.7, 0.1, 1, "Share of the training rows that each tree sees")


def ensemble_options(horizon: int) -> type[EnsembleOptions]:
    """Return the same configuration with another default horizon."""
    field = EnsembleOptions.model_fields["horizon"]
    bounded = _bounded(horizon, 1, HORIZONS, str(field.description).partition(",")[0])
    options: type[EnsembleOptions] = create_model(
        f"EnsembleOptions{horizon}", __base__=EnsembleOptions, horizon=(int, bounded)
    )
    return options
