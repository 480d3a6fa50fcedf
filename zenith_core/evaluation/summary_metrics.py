"""The few metrics shown for each model version, in `zenith models` and over REST."""

from collections.abc import Mapping
from typing import Any

from zenith_core.names import Kind

# The headline loss and that of the naive forecast on the same rows, by kind.
LOSSES: Mapping[Kind, tuple[str, str]] = {"lstm": ("mae", "mae_random_walk"), "ensemble": ("brier", "brier_baseline")}
FIGURES = ("rows", "skill", "p_value", "beats_naive", "coverage", "ece")
METRICS = frozenset([*(name for names in LOSSES.values() for name in names), *FIGURES])
"""The names of all metrics that `summarize_metrics` reads."""


def summarize_metrics(kind: Kind, metrics: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the name of the loss, its value, the naive forecast's loss, and those of FIGURES in `metrics`."""
    loss, baseline = LOSSES[kind]
    figures: dict[str, Any] = {name: metrics[name] for name in FIGURES if name in metrics}
    if (beats_naive := figures.get("beats_naive")) is not None:  # MLflow's metrics are floats
        figures["beats_naive"] = bool(beats_naive)
    return {"loss": loss, "value": metrics.get(loss), "naive": metrics.get(baseline), **figures}
