"""ONNX Runtime as the pipelines use it: one thread, to ask a candidate what it would serve."""

from typing import cast

from zenith_core.inference import Run


def onnx_run(onnx: bytes) -> Run:
    """The `run` of a session made from a serialized model. Raises what ONNX Runtime raises on a broken one."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    return cast(Run, session.run)
