"""Save ONNX bytes in MLflow's ONNX flavor, so that any MLflow tool can load them."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature
    from onnx import ModelProto, ValueInfoProto

MODEL_FILE = "model.onnx"  # MLflow's name for it
_REQUIREMENTS = ("mlflow", "numpy", "onnx", "onnxruntime")  # needed by MLflow's scoring server


def save_model(onnx: bytes, folder: Path, mlflow_model: "Model") -> None:
    """Write the model into a new folder. Raises DecodeError if the bytes are not an ONNX model."""
    import mlflow.onnx
    from onnx import ModelProto

    model = ModelProto.FromString(onnx)
    mlflow.onnx.save_model(
        model,
        str(folder),
        mlflow_model=mlflow_model,
        signature=_signature(model),
        pip_requirements=list(_REQUIREMENTS),
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )


def _signature(model: "ModelProto") -> "ModelSignature":
    """Return the graph's float tensors as an MLflow signature; the first dimension is the batch."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def tensor(value: "ValueInfoProto") -> TensorSpec:
        shape = tuple(dimension.dim_value or -1 for dimension in value.type.tensor_type.shape.dim)
        return TensorSpec(np.dtype(np.float32), shape, value.name)

    inputs, outputs = model.graph.input, model.graph.output
    return ModelSignature(Schema([tensor(value) for value in inputs]), Schema([tensor(value) for value in outputs]))
