"""Export the price model to ONNX with native recurrent nodes, built from its weights: the same on any backend.

The graph holds the whole model: scaler, network, linear forecast, volatility scaling, the band's scale and quantiles.
Its signature is in zenith_core.inference. Linear steps are folded into the neighbouring weights, because each node
takes time in every forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zenith_core.features.targets import root_horizons
from zenith_core.forecasting.prediction_intervals import Band
from zenith_core.forecasting.ridge import LinearForecast
from zenith_core.forecasting.volatility_term_structure import MAX_EXPONENT, available_inputs
from zenith_pipelines.models.lstm import TrainedLSTM
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, ValueInfoProto


# The positions of Keras' gates in ONNX's order: LSTM i, f, c, o to i, o, f, c; GRU z, r, h in both.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}
# Keras' GRU multiplies by the reset gate after the recurrent kernel.
_ATTRIBUTES: dict[str, dict[str, Any]] = {"LSTM": {}, "GRU": {"linear_before_reset": 1}}


@dataclass(frozen=True)
class PriceModel:
    """Forecasts standardized returns: `linear` from the newest row, plus `network` for its residuals."""

    linear: LinearForecast
    network: TrainedLSTM


def price_model_onnx(model: PriceModel, band: Band, columns: Sequence[str]) -> bytes:
    """Return the serialized ONNX model; `columns` are the features of its windows."""
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
    constants = _network_constants(model) | _band_constants(band, columns)
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


def _network_nodes(network: TrainedLSTM) -> "list[NodeProto]":
    """Return the nodes window (n, steps, features) → network_scores (n, horizons). ONNX's cells take steps first."""
    from onnx.helper import make_node

    nodes = [make_node("Transpose", ["window"], ["steps_0"], perm=[1, 0, 2])]
    attributes: dict[str, Any] = {"hidden_size": network.units, **_ATTRIBUTES[network.cell]}
    for layer in range(network.layers):
        inputs = [f"steps_{layer}", *(f"{name}_{layer}" for name in ("kernel", "recurrent_kernel", "bias"))]
        if layer < network.layers - 1:  # every state (steps, 1, n, units)
            nodes.append(make_node(network.cell, inputs, [f"states_{layer}"], **attributes))
            nodes.append(make_node("Squeeze", [f"states_{layer}", "one"], [f"steps_{layer + 1}"]))
        else:
            nodes.append(make_node(network.cell, inputs, ["", "last_state"], **attributes))
    return [
        *nodes,
        make_node("Squeeze", ["last_state", "zero"], ["last"]),
        make_node("Gemm", ["last", "dense_kernel", "dense_bias"], ["dense"]),
        make_node("Relu", ["dense"], ["active"]),
        make_node("Gemm", ["active", "head_kernel", "head_bias"], ["network_scores"]),
    ]


def _linear_nodes() -> "list[NodeProto]":
    """Return the nodes that add the linear forecast, from the window's newest row, to the network's scores."""
    from onnx.helper import make_node

    return [
        make_node("Gather", ["window", "newest"], ["newest_row"], axis=1),
        make_node("Gemm", ["newest_row", "linear_kernel", "network_scores"], ["scores"]),
    ]


def _price_nodes() -> "list[NodeProto]":
    """Return the nodes scores (n, horizons) → price = close * exp(score * volatility * sqrt(h))."""
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
    """Return the nodes newest row → stretch = exp(clipped coefficients . x) → price growth + stretched quantiles."""
    from onnx.helper import make_node

    return [
        make_node("Log", ["volatility_column"], ["log_volatility"]),
        make_node("Concat", ["log_volatility", "newest_row"], ["scale_inputs"], axis=1),
        make_node("Gemm", ["scale_inputs", "scale_kernel", "scale_bias"], ["free_exponent"]),
        make_node("Clip", ["free_exponent", "least_exponent", "most_exponent"], ["exponent"]),
        make_node("Exp", ["exponent"], ["stretch"]),
        make_node("Mul", ["stretch", "deviation"], ["stretched"]),
        make_node("Unsqueeze", ["stretched", "two"], ["stretched_column"]),
        make_node("Mul", ["stretched_column", "residuals"], ["offsets"]),
        make_node("Unsqueeze", ["growth", "two"], ["growth_column"]),
        make_node("Add", ["growth_column", "offsets"], ["quantile_growth"]),
        make_node("Exp", ["quantile_growth"], ["quantile_ratio"]),
        make_node("Unsqueeze", ["close_column", "two"], ["close_cube"]),
        make_node("Mul", ["close_cube", "quantile_ratio"], ["quantiles"]),
    ]


def _network_constants(model: PriceModel) -> dict[str, NDArray[Any]]:
    """Fold the scaler into the first layer's weights, and the linear forecast's mean into the last bias."""
    network, linear = model.network, model.linear
    recurrent: list[NDArray[np.floating]] = [*network.weights[:-4]]
    dense_kernel, dense_bias, head_kernel, head_bias = network.weights[-4:]
    raw_kernel = recurrent[0].astype(np.float64) / network.scale[:, np.newaxis]  # for unstandardized features
    input_bias, *recurrent_bias = np.atleast_2d(recurrent[2])
    recurrent[0], recurrent[2] = raw_kernel, np.stack([input_bias - network.mean @ raw_kernel, *recurrent_bias])
    constants: dict[str, NDArray[np.floating]] = {
        "dense_kernel": dense_kernel,
        "dense_bias": dense_bias,
        "head_kernel": head_kernel,
        "head_bias": head_bias - linear.mean @ linear.weights,
        "linear_kernel": linear.weights,
        "root_horizons": root_horizons(len(head_bias)),
    }
    for layer in range(network.layers):
        kernel, recurrent_kernel, bias = recurrent[3 * layer : 3 * layer + 3]
        constants[f"kernel_{layer}"] = _onnx_gates(kernel, network.cell)
        constants[f"recurrent_kernel_{layer}"] = _onnx_gates(recurrent_kernel, network.cell)
        constants[f"bias_{layer}"] = _onnx_biases(bias, network.cell)
    return {
        **{name: array.astype(np.float32) for name, array in constants.items()},
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "newest": np.array(-1),
    }


def _band_constants(band: Band, columns: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the band's constants. The kernel has a row for volatility and one per feature, 0 for unused features."""
    bias, of_volatility, *of_inputs = band.coefficients
    kernel = np.zeros((1 + len(columns), len(bias)), dtype=np.float32)
    kernel[0] = of_volatility
    kernel[[1 + columns.index(name) for name in available_inputs(columns)]] = np.reshape(of_inputs, (-1, len(bias)))
    return {
        "scale_kernel": kernel,
        "scale_bias": bias.astype(np.float32),
        "least_exponent": np.array(-MAX_EXPONENT, dtype=np.float32),
        "most_exponent": np.array(MAX_EXPONENT, dtype=np.float32),
        "residuals": band.quantiles.astype(np.float32),
    }


def _onnx_gates(kernel: NDArray[np.floating], cell: str) -> NDArray[np.floating]:
    """Convert Keras' (inputs, gates * units) to ONNX's (1, gates * units, inputs), in ONNX's order of gates."""
    gates = np.split(kernel.T, len(_GATES[cell]))
    return np.concatenate([gates[number] for number in _GATES[cell]])[np.newaxis]


def _onnx_biases(bias: NDArray[np.floating], cell: str) -> NDArray[np.floating]:
    """Convert Keras' bias to ONNX's (1, 2 * gates * units): the input's, then the recurrence's.

    Keras' LSTM has only that of the input (gates * units,), its GRU both (2, gates * units).
    """
    input_bias, *others = np.atleast_2d(bias)
    recurrent_bias = others[0] if others else np.zeros_like(input_bias)
    both = [_onnx_gates(one[np.newaxis], cell)[..., 0] for one in (input_bias, recurrent_bias)]
    return np.concatenate(both, axis=1)
