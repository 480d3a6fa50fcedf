"""Keras's backend, chosen and tuned before anything imports it."""

import os

from zenith_pipelines.settings import Settings

# One thread trains these small layers as fast as two (measured), and leaves the other core to another ticker.
_XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def prepare_backend(settings: Settings) -> None:
    """Set the environment that Keras and JAX read at import; what the user has set already stays."""
    defaults = {
        "KERAS_BACKEND": settings.keras_backend,
        "XLA_FLAGS": _XLA_FLAGS,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Compiled training steps, kept between processes: the first fit of a process then starts at once.
        "JAX_COMPILATION_CACHE_DIR": str(settings.home / "cache" / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
