"""Training, walk-forward studies and ONNX export of the models. Knows neither Dagster nor MLflow."""

import os
from pathlib import Path

TRAINING_THREADS = "ZENITH_TRAINING_THREADS"  # set in a worker that has a core to spare; the result is the same


def prepare_backend(backend: str, home: Path) -> None:
    """Choose Keras' backend and keep its compiled programs under `home`. To be called before Keras is imported.

    One thread inside XLA: with batches this small a second one does not help (`lstm_epoch` shows what does), and other
    tickers use the other cores. What the environment already says is kept.
    """
    defaults = {
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        "JAX_COMPILATION_CACHE_DIR": str(home / "cache" / "jax"),
        # The defaults keep only what took a second to compile; ours are many that take half of one.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
