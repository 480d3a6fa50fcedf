"""Export the calibrated ensemble to ONNX: skl2onnx, the XGBoost converter of onnxmltools, and the calibrator's nodes.

Signature: zenith_core.inference.
"""

from typing import TYPE_CHECKING

import numpy as np

from zenith_core.forecasting.calibration import MIN_PROBABILITY, Calibrator
from zenith_pipelines.models.onnx_artifact import IR_VERSION, OPSET

if TYPE_CHECKING:
    from onnx import ModelProto
    from sklearn.ensemble import VotingClassifier

OPSET_ML = 3  # the newest that both converters write


def signal_model_onnx(model: "VotingClassifier", calibrator: Calibrator, features: int) -> bytes:
    """Return the serialized ONNX model of a calibrated vote: `features` (n, features) → `probabilities` (n, 3)."""
    onnx_model = _vote(model, features)
    _append(calibrator, onnx_model)
    opsets = sorted(onnx_model.opset_import, key=lambda opset: opset.domain)  # they come from a set
    del onnx_model.opset_import[:]
    onnx_model.opset_import.extend(opsets)
    onnx_model.ir_version = IR_VERSION
    onnx_model.producer_name = "zenith"
    return bytes(onnx_model.SerializeToString())


def _vote(model: "VotingClassifier", features: int) -> "ModelProto":
    from onnx.utils import Extractor
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import to_onnx, update_registered_converter
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from xgboost import XGBClassifier

    update_registered_converter(
        XGBClassifier,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    onnx_model = to_onnx(
        model,
        initial_types=[("features", FloatTensorType([None, features]))],
        options={id(model): {"zipmap": False}},  # a plain name would be looked for in all trees
        target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
    )
    # Drop the label output and its nodes: the caller chooses the signal.
    return Extractor(onnx_model).extract_model(["features"], ["probabilities"])


def _append(calibrator: Calibrator, model: "ModelProto") -> None:
    """Insert `calibrator` between the vote and the output."""
    from onnx import helper, numpy_helper

    graph = model.graph
    for node in graph.node:
        node.output[:] = ["vote" if name == "probabilities" else name for name in node.output]
    constants = {"least": MIN_PROBABILITY, "slope": calibrator.slope, "intercepts": calibrator.intercepts}
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, dtype=np.float32), name) for name, value in constants.items()
    )
    graph.node.extend(
        [
            helper.make_node("Max", ["vote", "least"], ["positive"]),
            helper.make_node("Log", ["positive"], ["logarithm"]),
            helper.make_node("Mul", ["logarithm", "slope"], ["scaled"]),
            helper.make_node("Add", ["scaled", "intercepts"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ]
    )
