"""Walk-forward study of a price model from another package: it forecasts quantiles, and Zenith does the rest."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from zenith_core.arrays import AnyFloats, Floats, Floats32, Ints
from zenith_core.evaluation.walk_forward import Fold, WalkForward
from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import forward_log_returns, input_windows, root_horizons, standardized_returns
from zenith_core.forecasting.residual_quantiles import price_forecasts
from zenith_core.inference import HORIZONS, QUANTILES
from zenith_core.model_kinds.options import ModelOptions
from zenith_pipelines.models.forecast_table import forecast_table
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET, check_parity
from zenith_pipelines.models.training import Candidate, TrainingData, price_candidate
from zenith_pipelines.models.training_inputs import ModelInputs, Progress, fold_facts, model_inputs, study_facts

if TYPE_CHECKING:
    from onnx import NodeProto

SPLIT = WalkForward(validation=0)
MEDIAN = QUANTILES.index(0.5)
PARITY_WINDOWS = 256  # newest origins on which the export is compared with the model

Nodes = Sequence["NodeProto"]
Constants = dict[str, AnyFloats | Ints]


class QuantileModel(Protocol):
    """A fitted model of standardized returns (`zenith_core.features.targets.standardized_returns`)."""

    def quantiles(self, windows: Floats32) -> Floats:
        """Return quantiles (n, HORIZONS, len(QUANTILES)), ascending, from windows (n, window, features)."""

    def nodes(self) -> tuple[Nodes, Constants]:
        """Return the ONNX nodes from the input `window` to `scores`, the same quantiles, and their constants."""


Fit = Callable[[Floats32, Floats], QuantileModel]
"""Called with consecutive windows (n, window, features), oldest first, and their targets (n, HORIZONS), all finite."""


def train_quantiles(
    kind: str, data: TrainingData, options: ModelOptions, window: int, fit: Fit, on_progress: Progress
) -> Candidate:
    """Forecast from every test session with a model fitted on its past, then fit and export the model to serve.

    window:  sessions that the model sees

    Raises TooShortHistory, NonFiniteInput, TrainingError or ParityError.
    """
    inputs = model_inputs(data.features, FEATURES, window, SPLIT)
    close = inputs.trainable_close(data.usable)
    targets = standardized_returns(forward_log_returns(close, HORIZONS), inputs.volatility)
    folds = [*SPLIT.split(len(inputs.origins)), SPLIT.final(len(inputs.origins))]
    tables, facts = [], []
    for number, fold in enumerate(folds, 1):
        rows = _with_targets(inputs, fold, targets)
        model = fit(input_windows(inputs.values, rows, window), targets[rows])
        if fold.test.size:
            tables.append(_forecasts(model, inputs, inputs.origins[fold.test], window, data, close))
        facts.append(fold_facts(inputs, fold, rows))
        on_progress(number, len(folds))
    study = study_facts(inputs, {**options.model_dump(), "window": window}, SPLIT, facts)
    return price_candidate(
        kind, data, _export(kind, model, inputs, window), pd.concat(tables, ignore_index=True), study
    )


def _with_targets(inputs: ModelInputs, fold: Fold, targets: Floats) -> Ints:
    rows = inputs.origins[fold.train]
    return rows[np.isfinite(targets[rows]).all(axis=1)]


def _forecasts(
    model: QuantileModel, inputs: ModelInputs, rows: Ints, window: int, data: TrainingData, close: Floats
) -> pd.DataFrame:
    quantiles = model.quantiles(input_windows(inputs.values, rows, window))
    scores = quantiles[..., MEDIAN]
    return forecast_table(inputs, rows, scores, quantiles - scores[..., np.newaxis], data.future, close)


def _export(kind: str, model: QuantileModel, inputs: ModelInputs, window: int) -> bytes:
    """Export the model to ONNX. Raises ParityError if the export differs on the newest windows."""
    onnx = quantile_model_onnx(kind, *model.nodes(), window, len(inputs.columns))
    rows = inputs.origins[-PARITY_WINDOWS:]
    windows = input_windows(inputs.values, rows, window)
    close, volatility = inputs.close[rows], inputs.volatility[rows]
    levels = [price_forecasts(level, close, volatility) for level in np.moveaxis(model.quantiles(windows), -1, 0)]
    onnx_inputs = {"window": windows, "close": close.astype(np.float32), "volatility": volatility.astype(np.float32)}
    check_parity(onnx, onnx_inputs, {"price": levels[MEDIAN], "quantiles": np.stack(levels, axis=-1)})
    return onnx


def quantile_model_onnx(name: str, nodes: Nodes, constants: Constants, window: int, features: int) -> bytes:
    """Return the serialized ONNX model of nodes that make `scores`: the price is the median."""
    from onnx import TensorProto, helper, numpy_helper

    def tensor(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    make = helper.make_node
    prices = [
        make("Unsqueeze", ["volatility", "cube_axes"], ["volatility_cube"]),
        make("Mul", ["volatility_cube", "root_horizons"], ["deviation"]),
        make("Mul", ["scores", "deviation"], ["growth"]),
        make("Exp", ["growth"], ["ratio"]),
        make("Unsqueeze", ["close", "cube_axes"], ["close_cube"]),
        make("Mul", ["close_cube", "ratio"], ["quantiles"]),
        make("Gather", ["quantiles", "median"], ["price"], axis=2),
    ]
    arrays = {
        **{key: value.astype(np.float32) if value.dtype.kind == "f" else value for key, value in constants.items()},
        "cube_axes": np.array([1, 2]),
        "root_horizons": root_horizons(HORIZONS).astype(np.float32)[:, np.newaxis],
        "median": np.array(MEDIAN),
    }
    graph = helper.make_graph(
        [*nodes, *prices],
        name,
        [tensor("window", "n", window, features), tensor("close", "n"), tensor("volatility", "n")],
        [tensor("price", "n", HORIZONS), tensor("quantiles", "n", HORIZONS, len(QUANTILES))],
        [numpy_helper.from_array(array, key) for key, array in arrays.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="zenith")
    return bytes(model.SerializeToString())
