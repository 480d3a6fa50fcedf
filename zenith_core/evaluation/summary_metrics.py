"""The few metrics shown for each model version, in `zenith models` and over REST."""

from collections.abc import Mapping
from typing import Any

from zenith_core.model_kinds.tasks import TASKS, Task

FIGURES = ("rows", "skill", "p_value", "beats_naive", "coverage", "ece")
METRICS = frozenset([*(name for task in TASKS.values() for name in (task.loss, task.baseline)), *FIGURES])
"""The names of all metrics that `summarize_metrics` reads."""


def summarize_metrics(task: Task, metrics: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the name of the loss, its value, the naive forecast's loss, and those of FIGURES in `metrics`."""
    loss, baseline = TASKS[task].loss, TASKS[task].baseline
    figures: dict[str, Any] = {name: metrics[name] for name in FIGURES if name in metrics}
    if (beats_naive := figures.get("beats_naive")) is not None:  # MLflow's metrics are floats
        figures["beats_naive"] = bool(beats_naive)
    return {"loss": loss, "value": metrics.get(loss), "naive": metrics.get(baseline), **figures}
