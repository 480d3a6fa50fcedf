"""Training, walk-forward studies and ONNX export of the models. Knows neither Dagster nor MLflow."""

import os
from pathlib import Path


def prepare_backend(backend: str, home: Path) -> None:
    """Choose Keras' backend and cache its compiled programs under `home`. Call it before Keras is imported.

    XLA gets one thread: with such small batches a second one does not help, and other tickers use the other cores.
    Variables that are already set stay as they are.
    """
    defaults = {
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        "JAX_COMPILATION_CACHE_DIR": str(home / "cache" / "jax"),
        # By default only programs that compile for a second are cached; ours are many of half a second.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # Random numbers whose program compiles seconds faster; they need not be equal on several devices.
        "JAX_THREEFRY_PARTITIONABLE": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
