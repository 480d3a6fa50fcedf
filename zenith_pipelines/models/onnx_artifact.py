"""Shared parts of both ONNX artifacts: facts in the metadata, an ONNX Runtime session, and the parity check."""

import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from zenith_core.errors import ParityError
from zenith_core.inference import METADATA_KEY, RunModel

PARITY = 1e-4  # the largest relative difference between the export and the trained model
OPSET = 21  # of the default domain; needs ONNX Runtime 1.20 or later
IR_VERSION = 10  # goes with OPSET


def with_metadata(onnx: bytes, facts: Mapping[str, Any]) -> bytes:
    """Return the model with `facts` (JSON-ready) in its metadata, in place of earlier facts."""
    from onnx import ModelProto

    model = ModelProto.FromString(onnx)
    others = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(others)
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(facts, allow_nan=False))
    return bytes(model.SerializeToString())


def metadata(onnx: bytes) -> dict[str, Any]:
    """Return the facts that `with_metadata` stored in the model; {} if there are none."""
    from onnx import ModelProto

    entries = {entry.key: entry.value for entry in ModelProto.FromString(onnx).metadata_props}
    facts: dict[str, Any] = json.loads(entries.get(METADATA_KEY, "{}"))
    return facts


def onnx_run(onnx: bytes) -> RunModel:
    """Return the `run` of a one-thread session of a serialized model. Raises ONNX Runtime's errors if it is broken."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return cast(RunModel, session.run)


def check_parity(
    onnx: bytes, inputs: Mapping[str, NDArray[np.float32]], expected: Mapping[str, NDArray[np.floating]]
) -> float:
    """Run the model and return the largest relative difference from `expected` (by output name).

    Raises ParityError if it is above PARITY or not finite.
    """
    outputs = onnx_run(onnx)(list(expected), inputs)
    differences = [_relative(a, e) for a, e in zip(outputs, expected.values(), strict=True)]
    worst = max(differences)
    if not worst <= PARITY:
        raise ParityError(
            f"the ONNX export differs from the trained model by {worst:.1e}; expected at most {PARITY:.0e}"
        )
    return worst


def _relative(output: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    if output.shape != expected.shape:
        return float("inf")
    scale = np.maximum(np.abs(expected), 1e-6)  # a probability of 0 has no relative error
    return float(np.max(np.abs(output - expected) / scale))
