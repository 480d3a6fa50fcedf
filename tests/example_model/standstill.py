"""A price model in a package of its own: the price stays, in a band of so many deviations."""

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from pydantic import Field

from zenith_core.evaluation.probability_scores import QUANTILE_COLUMNS
from zenith_core.features.model_features import FEATURES
from zenith_core.inference import HORIZONS
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import ModelOptions
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET
from zenith_pipelines.models.training import price_candidate

LEVELS = np.array([-1.64, -1.28, -0.67, 0.0, 0.67, 1.28, 1.64])


class Options(ModelOptions):
    """The configuration of the model."""

    width: float = Field(default=1.0, ge=0.1, le=10, description="Width of the band, 0.1 to 10.")


KIND = ModelKind(
    name="standstill",
    task="price",
    title="Standstill",
    description="The forecast that the price stays.",
    trainer="standstill:train",
    options=Options,
    work=1.0,
)


def train(data, options, on_progress):
    """Forecast the last close from each session of the last quarter, then export the model."""
    close = data.features["close"].to_numpy()
    rows = np.arange(3 * len(close) // 4, len(close) - HORIZONS)
    spread = options.width * np.sqrt(np.arange(1, HORIZONS + 1))[:, np.newaxis] * LEVELS  # (horizons, levels)
    growth = np.exp(data.features["volatility"].to_numpy()[rows, np.newaxis, np.newaxis] * spread)
    levels = (close[rows, np.newaxis, np.newaxis] * growth).reshape(-1, len(LEVELS))
    targets = rows[:, np.newaxis] + np.arange(1, HORIZONS + 1)
    forecasts = pd.DataFrame(
        {
            "origin": np.repeat(data.features.index[rows].to_numpy(), HORIZONS),
            "horizon": np.tile(np.arange(1, HORIZONS + 1), len(rows)),
            "target_date": data.features.index.to_numpy()[targets.ravel()],
            "close": np.repeat(close[rows], HORIZONS),
            "forecast": np.repeat(close[rows], HORIZONS),
            "lower": levels[:, 0],
            "upper": levels[:, -1],
            **dict(zip(QUANTILE_COLUMNS, levels.T, strict=True)),
            "actual": close[targets.ravel()],
        }
    )
    on_progress(1, 1)
    study = {"config": {**options.model_dump(), "window": 1}}
    return price_candidate(KIND.name, data, export(spread.astype(np.float32)), forecasts, study)


def export(spread):
    """Return the ONNX model: price = close, quantiles = close * exp(volatility * spread)."""
    make, tensor = helper.make_node, helper.make_tensor_value_info
    nodes = [
        make("Unsqueeze", ["close", "one"], ["column"]),
        make("Expand", ["column", "shape"], ["price"]),
        make("Unsqueeze", ["volatility", "both"], ["deviation"]),
        make("Mul", ["deviation", "spread"], ["exponent"]),
        make("Exp", ["exponent"], ["growth"]),
        make("Unsqueeze", ["close", "both"], ["cube"]),
        make("Mul", ["cube", "growth"], ["quantiles"]),
    ]
    constants = {"one": [1], "both": [1, 2], "shape": [1, HORIZONS]}
    arrays = {"spread": spread, **{name: np.array(value, dtype=np.int64) for name, value in constants.items()}}
    graph = helper.make_graph(
        nodes,
        "standstill",
        [
            tensor("window", TensorProto.FLOAT, ["n", 1, len(FEATURES)]),
            tensor("close", TensorProto.FLOAT, ["n"]),
            tensor("volatility", TensorProto.FLOAT, ["n"]),
        ],
        [
            tensor("price", TensorProto.FLOAT, ["n", HORIZONS]),
            tensor("quantiles", TensorProto.FLOAT, ["n", HORIZONS, len(LEVELS)]),
        ],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return model.SerializeToString()
