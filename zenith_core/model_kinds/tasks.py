"""The tasks of models. All kinds of model of a task have one ONNX signature, and are scored and served alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Task = Literal["price", "signal"]


@dataclass(frozen=True)
class TaskDeclaration:
    """A task.

    inputs, outputs:  of the ONNX model; shapes and units are in zenith_core.inference
    loss, baseline:   the metrics with the headline loss and with the naive forecast's on the same rows
    origin:           the column of the evidence that holds the forecast origins
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    loss: str
    baseline: str
    origin: str


TASKS: Mapping[Task, TaskDeclaration] = {
    "price": TaskDeclaration(
        inputs=("window", "close", "volatility"),
        outputs=("price", "quantiles"),
        loss="mae",
        baseline="mae_random_walk",
        origin="origin",
    ),
    "signal": TaskDeclaration(
        inputs=("features",), outputs=("probabilities",), loss="brier", baseline="brier_baseline", origin="date"
    ),
}
