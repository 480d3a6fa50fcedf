"""Seconds per epoch of the LSTM: a plain Keras/TensorFlow script and our trainer, in separate processes and in turns.

Same simulated data, layers, dropout, loss and optimizer, and the same windows per epoch (ours drops an incomplete
batch). The plain script uses Keras' `fit` on both cores, with its default batch of 32 and with our batch. Ours also
computes the validation loss.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from harness.figures import Figure, add_json, report

FIGURES = ("epoch", "epoch_same_batch", "total")
SESSIONS, FEATURES, HELD_OUT = 3_270, 20, 64
CASES = {  # name: (kind, batch)
    "plain TensorFlow, batch 32": ("plain", 32),
    "plain TensorFlow, batch 64": ("plain", 64),
    "ours, batch 64, one thread": ("one", 64),
    "ours, batch 64, two threads": ("two", 64),
}
OURS = "ours, batch 64, two threads"


def plain(batch: int, epochs: int) -> tuple[list[float], int]:
    """Train with a careful user's script: windows, layers, compile, fit."""
    import keras

    from zenith_pipelines.models.lstm import LSTMConfig

    config = LSTMConfig()
    x, y = plain_windows(config.window, config.horizons)
    model = network()
    model.compile(keras.optimizers.Adam(config.learning_rate, clipnorm=config.clip_norm), loss="huber")
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    model.fit(x, y, batch_size=batch, epochs=epochs, callbacks=[clock], verbose=0)
    return ends, len(x)


def network():
    """Return the same layers as ours, as in the Keras guide."""
    import keras
    from keras import layers

    from zenith_pipelines.models.lstm import LSTMConfig

    config = LSTMConfig()
    return keras.Sequential(
        [
            keras.Input((config.window, FEATURES)),
            layers.LSTM(config.units),
            layers.Dropout(config.dropout),
            layers.Dense(config.dense, activation="relu"),
            layers.Dense(config.horizons),
        ]
    )


def ours(batch: int, epochs: int) -> tuple[list[float], int]:
    """Train with our trainer, set up as by `zenith run`, without early stopping."""
    import numpy as np

    from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer

    config = LSTMConfig(batch=batch, epochs=epochs, patience=epochs)
    values, targets = data(config.horizons)
    rows = np.arange(config.window - 1, SESSIONS)
    ends: list[float] = []
    trainer = LSTMTrainer(config, FEATURES)
    # Train on the held-out rows too, so that an epoch has as many windows as in the plain script.
    trainer.fit(values, targets, rows, rows[-HELD_OUT:], lambda _: ends.append(time.perf_counter()))
    return ends, len(rows) // batch * batch


def data(horizons: int):
    """Return noise, which takes as long to learn as prices."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.normal(size=(SESSIONS, FEATURES)).astype(np.float32), rng.normal(size=(SESSIONS, horizons))


def plain_windows(window: int, horizons: int):
    """Return (windows, window, features) and (windows, horizons), cut by numpy."""
    import numpy as np

    values, targets = data(horizons)
    x = np.lib.stride_tricks.sliding_window_view(values, window, axis=0).transpose(0, 2, 1)
    return np.ascontiguousarray(x), targets[window - 1 :].astype(np.float32)


def measure(train: Callable[[int, int], tuple[list[float], int]], batch: int, epochs: int) -> None:
    """Print seconds per later epoch (median), seconds from the start of this module to the last epoch, and windows."""
    start = time.perf_counter()
    ends, windows = train(batch, epochs)
    later = [after - before for before, after in pairwise(ends)]
    print(statistics.median(later), ends[-1] - start, windows)


def run(kind: str, batch: int, epochs: int, home: Path) -> tuple[float, float, int]:
    """Measure one kind in a fresh process; `home` holds JAX's compilation cache."""
    command = [sys.executable, __file__, "--measure", kind, str(batch), str(epochs), str(home)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    epoch, total, windows = result.stdout.split()[-3:]
    return float(epoch), float(total), int(windows)


def prepare(kind: str, home: Path) -> None:
    """Set the backend of a plain user, or of `zenith run` with a spare core."""
    from zenith_pipelines.models import TRAINING_THREADS, prepare_backend

    if kind == "plain":
        os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    else:
        prepare_backend("jax", home)
        os.environ[TRAINING_THREADS] = {"one": "1", "two": "2"}[kind]


def main() -> None:
    """Measure the cases in turn, several times; print medians and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    add_json(parser)
    arguments = parser.parse_args()
    timings: dict[str, list[tuple[float, float, int]]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as home:
        for _ in range(arguments.repeats):
            for name, (kind, batch) in CASES.items():
                timings[name].append(run(kind, batch, arguments.epochs, Path(home)))
                print(f"{name}: {timings[name][-1]}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    median = table(timings, arguments.epochs)
    ours, default, same = (median[name] for name in (OURS, "plain TensorFlow, batch 32", "plain TensorFlow, batch 64"))
    figures = [
        Figure("epoch", ours[0], default[0]),
        Figure("epoch_same_batch", ours[0], same[0]),
        Figure("total", ours[1], default[1]),
    ]
    report("training_speed", figures, arguments.json)


def table(timings: dict[str, list[tuple[float, float, int]]], epochs: int) -> dict[str, list[float]]:
    """Print medians (epoch, total, windows) and speed relative to the plain cases; return the medians."""
    median = {n: [statistics.median(column) for column in zip(*rows, strict=True)] for n, rows in timings.items()}
    plain_cases = [name for name in CASES if name.startswith("plain")]
    print(f"{epochs} epochs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':<30}{'epoch, s':>10}{'total, s':>10}{'windows':>9}   speed-up over: " + ", ".join(plain_cases))
    for name, (epoch, total, windows) in median.items():
        ratios = [f"{median[p][0] / epoch:.1f} (total {median[p][1] / total:.1f})" for p in plain_cases]
        print(f"{name:<30}{epoch:>10.2f}{total:>10.1f}{windows:>9.0f}   " + ", ".join(ratios))
    return median


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        kind, batch, epochs, home = sys.argv[2:]
        prepare(kind, Path(home))
        measure(plain if kind == "plain" else ours, int(batch), int(epochs))
    else:
        main()
