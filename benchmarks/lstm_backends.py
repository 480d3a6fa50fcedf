"""Seconds per epoch of the LSTM as configured, on each Keras backend, a fresh process each, one after the other."""

import os
import subprocess
import sys
import time

BACKENDS = ("jax", "tensorflow")
WINDOWS = 2_496  # whole batches, about ten years of sessions
EPOCHS = 4


def measure() -> None:
    """Train in this process; print start-up, first epoch (with compilation) and the best later epoch, in seconds."""
    import numpy as np

    started = time.perf_counter()
    from zenith_core.features import FEATURES
    from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer

    config = LSTMConfig(epochs=EPOCHS, patience=EPOCHS)
    rng = np.random.default_rng(0)
    rows = WINDOWS + config.window + 256
    values = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    targets = rng.normal(size=(rows, config.horizons))
    trainer = LSTMTrainer(config, len(FEATURES))
    ready = time.perf_counter()
    ends = np.arange(config.window, rows)
    epochs = [ready]
    trainer.fit(values, targets, ends[:WINDOWS], ends[-256:], lambda _: epochs.append(time.perf_counter()))
    first, *later = np.diff(epochs)
    print(f"{ready - started:.1f} {first:.1f} {min(later):.2f}")


def main() -> None:
    """Run each backend and print a table with the ratio to TensorFlow's epoch."""
    seconds = {}
    for backend in BACKENDS:
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        }
        done = subprocess.run(
            [sys.executable, __file__, "--measure"], env=environment, check=True, capture_output=True, text=True
        )
        seconds[backend] = [float(value) for value in done.stdout.split()[-3:]]
    print(f"{'backend':<12}{'start':>8}{'first epoch':>14}{'epoch':>8}{'TensorFlow / this':>20}")
    for backend, (start, first, epoch) in seconds.items():
        print(f"{backend:<12}{start:>8.1f}{first:>14.1f}{epoch:>8.2f}{seconds['tensorflow'][2] / epoch:>20.1f}")


if __name__ == "__main__":
    measure() if "--measure" in sys.argv else main()
