"""The fitted ensemble as ONNX: skl2onnx with the XGBoost converter of onnxmltools. Signature: zenith_core.inference."""

from typing import TYPE_CHECKING

from zenith_pipelines.models.artifact import IR_VERSION, OPSET

if TYPE_CHECKING:
    from sklearn.ensemble import VotingClassifier

OPSET_ML = 3  # the newest that both converters write


def signal_model_onnx(model: "VotingClassifier", features: int) -> bytes:
    """The serialized ONNX model of a fitted VotingClassifier: `features` (n, features) → `probabilities` (n, 3)."""
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
        options={"zipmap": False},
        target_opset={"": OPSET, "ai.onnx.ml": OPSET_ML},
    )
    # Without the label output and what only it needs: whoever asks chooses the signal.
    onnx_model = Extractor(onnx_model).extract_model(["features"], ["probabilities"])
    onnx_model.ir_version = IR_VERSION
    onnx_model.producer_name = "zenith"
    return bytes(onnx_model.SerializeToString())
