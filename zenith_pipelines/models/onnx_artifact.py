"""What both kinds of ONNX artifact share: facts in the metadata, and the check that the export answers as the model."""

import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from zenith_core.errors import ParityError
from zenith_core.inference import METADATA_KEY, Run

PARITY = 1e-4  # the largest relative difference between the export and the trained model
OPSET = 21  # of the default domain; ONNX Runtime 1.20 and later answer it
IR_VERSION = 10  # the one that goes with OPSET


def with_metadata(onnx: bytes, facts: Mapping[str, Any]) -> bytes:
    """The model with `facts` (JSON-ready) in its metadata; earlier facts are replaced."""
    from onnx import ModelProto

    model = ModelProto.FromString(onnx)
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=METADATA_KEY, value=json.dumps(facts, allow_nan=False))
    return bytes(model.SerializeToString())


def metadata(onnx: bytes) -> dict[str, Any]:
    """The facts that `with_metadata` put into the model; empty if there are none."""
    from onnx import ModelProto

    entries = {entry.key: entry.value for entry in ModelProto.FromString(onnx).metadata_props}
    facts: dict[str, Any] = json.loads(entries.get(METADATA_KEY, "{}"))
    return facts


def onnx_run(onnx: bytes) -> Run:
    """The `run` of a session made from a serialized model. Raises what ONNX Runtime raises on a broken one."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return cast(Run, session.run)


def check_parity(
    onnx: bytes, inputs: Mapping[str, NDArray[np.float32]], expected: Mapping[str, NDArray[np.floating]]
) -> float:
    """Ask ONNX Runtime and return the largest relative difference from `expected` (by output name).

    Raises ParityError if it is above PARITY or not finite.
    """
    answers = onnx_run(onnx)(list(expected), inputs)
    differences = [_relative(a, e) for a, e in zip(answers, expected.values(), strict=True)]
    worst = max(differences)
    if not worst <= PARITY:
        raise ParityError(
            f"the ONNX export differs from the trained model by {worst:.1e}, at most {PARITY:.0e} is allowed"
        )
    return worst


def _relative(answer: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    if answer.shape != expected.shape:
        return float("inf")
    scale = np.maximum(np.abs(expected), 1e-6)  # a probability of 0 has no relative error
    return float(np.max(np.abs(answer - expected) / scale))
