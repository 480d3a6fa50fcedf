"""The configuration of each kind of model: defaults, bounds and descriptions, declared once.

Run config, the command line, REST and the reference show these fields; training gets the validated object.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from zenith_core.names import HEADLINE_HORIZON, HORIZONS, MAX_EPOCHS

DEFAULT_EPOCHS = 24
"""The most epochs of a network, unless its configuration says otherwise."""

DEFAULT_WINDOW = 60
"""The sessions that a network sees, unless its configuration says otherwise."""


def horizon_of(facts: Mapping[str, Any]) -> int:
    """Return a model's horizon from its facts: the configuration that it was trained with; earlier releases had one."""
    horizon: int = facts.get("study", {}).get("config", {}).get("horizon", HEADLINE_HORIZON)
    return horizon


class ModelOptions(BaseModel):
    """The configuration that every kind of model has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon: int = Field(
        default=HEADLINE_HORIZON,
        ge=1,
        le=HORIZONS,
        description="Sessions ahead of a signal, or of the price forecasts that are scored first, charted and traded.",
    )


class NetworkOptions(ModelOptions):
    """The configuration of a recurrent network."""

    epochs: int | None = Field(
        default=None,
        ge=1,
        le=MAX_EPOCHS,
        description=f"Most training epochs of the network; {DEFAULT_EPOCHS} if left out.",
    )
    layers: int = Field(default=2, ge=1, le=4, description="Recurrent layers.")
    units: int = Field(default=50, ge=1, le=256, description="Units of each recurrent layer.")
    dropout: float = Field(default=0.2, ge=0, le=0.9, description="Share of units dropped after each recurrent layer.")
    dense: int = Field(default=25, ge=1, le=256, description="Units of the dense layer.")
    window: int = Field(default=DEFAULT_WINDOW, ge=10, le=120, description="Sessions that the network sees.")
    learning_rate: float = Field(default=1e-3, ge=1e-5, le=0.1, description="Step size of Adam.")
    batch: int = Field(default=4, ge=1, le=256, description="Windows of a training batch.")
    patience: int = Field(default=3, ge=0, le=100, description="Epochs without a better one before training stops.")


class EnsembleOptions(ModelOptions):
    """The configuration of the vote of random forest and gradient boosting."""

    threshold: float = Field(
        default=0.5,
        ge=0.05,
        le=3,
        description="Return, in deviations of its horizon, from which on a label is buy or sell.",
    )
    trees: int = Field(default=100, ge=1, le=1000, description="Trees of the random forest.")
    depth: int = Field(default=4, ge=1, le=20, description="Depth of its trees.")
    leaf_share: float = Field(default=0.05, ge=0.001, le=0.5, description="Least share of the training rows in a leaf.")
    feature_share: float = Field(default=0.5, ge=0.05, le=1, description="Share of the features tried at each split.")
    boosting_rounds: int = Field(default=100, ge=1, le=1000, description="Trees of the gradient boosting.")
    boosting_depth: int = Field(default=1, ge=1, le=10, description="Depth of its trees.")
    learning_rate: float = Field(default=0.05, ge=0.001, le=1, description="Weight of each tree of the boosting.")
    row_share: float = Field(default=0.7, ge=0.1, le=1, description="Share of the training rows that each tree sees.")
