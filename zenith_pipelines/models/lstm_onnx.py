"""The price model as ONNX with native LSTM nodes, built from its weights, so that any Keras backend exports the same.

The graph holds all of it: scaler, network, linear forecast, volatility scaling, the band's scale and quantiles. Its
signature is in zenith_core.inference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zenith_core.bands import Band
from zenith_core.linear import LinearForecast
from zenith_core.targets import root_horizons
from zenith_core.volatility_scale import LIMIT, used_inputs
from zenith_pipelines.models.artifact import IR_VERSION, OPSET
from zenith_pipelines.models.lstm import TrainedLSTM

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, ValueInfoProto


@dataclass(frozen=True)
class PriceModel:
    """What forecasts standardized returns: `linear` from the newest row, and `network` what that left unexplained."""

    linear: LinearForecast
    network: TrainedLSTM


def price_model_onnx(model: PriceModel, band: Band, columns: Sequence[str]) -> bytes:
    """The serialized ONNX model; `columns` names the features of its windows."""
    from onnx import helper

    onnx_model = helper.make_model(
        _graph(model, band, columns),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="zenith",
    )
    return bytes(onnx_model.SerializeToString())


def _graph(model: PriceModel, band: Band, columns: Sequence[str]) -> "GraphProto":
    from onnx import TensorProto, helper, numpy_helper

    def tensor(name: str, *shape: int | str | None) -> "ValueInfoProto":
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    horizons, levels = band.quantiles.shape
    network = model.network
    constants = _network_constants(network) | _linear_constants(model.linear) | _band_constants(band, columns)
    return helper.make_graph(
        [*_network_nodes(network), *_linear_nodes(), *_price_nodes(), *_band_nodes()],
        "zenith_lstm",
        inputs=[
            tensor("window", "n", network.window, len(network.mean)),
            tensor("close", "n"),
            tensor("volatility", "n"),
        ],
        outputs=[tensor("price", "n", horizons), tensor("quantiles", "n", horizons, levels)],
        initializer=[numpy_helper.from_array(array, name) for name, array in constants.items()],
    )


def _network_nodes(model: TrainedLSTM) -> "list[NodeProto]":
    """window (n, steps, features) → network_scores (n, horizons). ONNX's LSTM wants steps first."""
    from onnx.helper import make_node

    units = model.weights[1].shape[0]
    return [
        make_node("Sub", ["window", "mean"], ["centred"]),
        make_node("Div", ["centred", "scale"], ["scaled"]),
        make_node("Transpose", ["scaled"], ["steps"], perm=[1, 0, 2]),
        make_node("LSTM", ["steps", "w1", "r1", "b1"], ["states_by_direction"], hidden_size=units),
        make_node("Squeeze", ["states_by_direction", "one"], ["states"]),
        make_node("LSTM", ["states", "w2", "r2", "b2"], ["", "last_by_direction"], hidden_size=units),
        make_node("Squeeze", ["last_by_direction", "zero"], ["last"]),
        make_node("Gemm", ["last", "dense_kernel", "dense_bias"], ["dense"]),
        make_node("Relu", ["dense"], ["active"]),
        make_node("Gemm", ["active", "head_kernel", "head_bias"], ["network_scores"]),
    ]


def _linear_nodes() -> "list[NodeProto]":
    """The window's newest row → what the linear forecast adds to the network's scores."""
    from onnx.helper import make_node

    return [
        make_node("Gather", ["window", "newest"], ["newest_row"], axis=1),
        make_node("Sub", ["newest_row", "linear_mean"], ["deviations"]),
        make_node("MatMul", ["deviations", "linear_kernel"], ["linear_scores"]),
        make_node("Add", ["network_scores", "linear_scores"], ["scores"]),
    ]


def _price_nodes() -> "list[NodeProto]":
    """scores (n, horizons) → price = close * exp(score * volatility * sqrt(h))."""
    from onnx.helper import make_node

    return [
        make_node("Unsqueeze", ["volatility", "one"], ["volatility_column"]),
        make_node("Mul", ["volatility_column", "root_horizons"], ["deviation"]),
        make_node("Unsqueeze", ["close", "one"], ["close_column"]),
        make_node("Mul", ["scores", "deviation"], ["growth"]),
        make_node("Exp", ["growth"], ["ratio"]),
        make_node("Mul", ["close_column", "ratio"], ["price"]),
    ]


def _band_nodes() -> "list[NodeProto]":
    """The newest row → stretch = exp(coefficients . x), clipped → the price's growth and stretched quantiles added."""
    from onnx.helper import make_node

    return [
        make_node("Log", ["volatility_column"], ["log_volatility"]),
        make_node("Concat", ["log_volatility", "newest_row"], ["scale_inputs"], axis=1),
        make_node("Gemm", ["scale_inputs", "scale_kernel", "scale_bias"], ["free_exponent"]),
        make_node("Clip", ["free_exponent", "least_exponent", "most_exponent"], ["exponent"]),
        make_node("Exp", ["exponent"], ["stretch"]),
        make_node("Unsqueeze", ["stretch", "two"], ["stretch_column"]),
        make_node("Mul", ["stretch_column", "residuals"], ["offsets"]),
        make_node("Unsqueeze", ["scores", "two"], ["scores_column"]),
        make_node("Add", ["scores_column", "offsets"], ["quantile_scores"]),
        make_node("Unsqueeze", ["deviation", "two"], ["deviation_column"]),
        make_node("Mul", ["quantile_scores", "deviation_column"], ["quantile_growth"]),
        make_node("Exp", ["quantile_growth"], ["quantile_ratio"]),
        make_node("Unsqueeze", ["close_column", "two"], ["close_cube"]),
        make_node("Mul", ["close_cube", "quantile_ratio"], ["quantiles"]),
    ]


def _network_constants(model: TrainedLSTM) -> dict[str, NDArray[Any]]:
    kernel1, recurrent1, bias1, kernel2, recurrent2, bias2, *dense = model.weights
    names = ("dense_kernel", "dense_bias", "head_kernel", "head_bias")
    return {
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "mean": model.mean,
        "scale": model.scale,
        "root_horizons": root_horizons(len(dense[-1])).astype(np.float32),
        "w1": _gates(kernel1),
        "r1": _gates(recurrent1),
        "b1": _biases(bias1),
        "w2": _gates(kernel2),
        "r2": _gates(recurrent2),
        "b2": _biases(bias2),
        **dict(zip(names, dense, strict=True)),
    }


def _linear_constants(linear: LinearForecast) -> dict[str, NDArray[Any]]:
    return {
        "newest": np.array(-1),
        "linear_mean": linear.mean.astype(np.float32),
        "linear_kernel": linear.weights.astype(np.float32),
    }


def _band_constants(band: Band, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The kernel has a row for the volatility and one for each feature, zero for those the scale does not use."""
    bias, of_volatility, *of_inputs = band.coefficients
    kernel = np.zeros((1 + len(columns), len(bias)), dtype=np.float32)
    kernel[0] = of_volatility
    kernel[[1 + columns.index(name) for name in used_inputs(columns)]] = np.reshape(of_inputs, (-1, len(bias)))
    return {
        "scale_kernel": kernel,
        "scale_bias": bias.astype(np.float32),
        "least_exponent": np.array(-LIMIT, dtype=np.float32),
        "most_exponent": np.array(LIMIT, dtype=np.float32),
        "residuals": band.quantiles.astype(np.float32),
    }


def _gates(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keras' (inputs, 4 units) with gates i, f, c, o → ONNX's (1, 4 units, inputs) with gates i, o, f, c."""
    gate_input, forget, cell, output = np.split(kernel.T, 4)
    return np.concatenate([gate_input, output, forget, cell])[np.newaxis]


def _biases(bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keras' one bias (4 units,) → ONNX's (1, 8 units): that of the input, and none of the recurrence."""
    reordered = _gates(bias[np.newaxis])[..., 0]
    return np.concatenate([reordered, np.zeros_like(reordered)], axis=1)
