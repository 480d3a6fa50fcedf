"""Seconds per epoch of the LSTM: a plain Keras/TensorFlow script beside ours, each in a process of its own, in turns.

Same simulated data, same layers, dropout, loss and optimizer, same windows per epoch (ours but for an incomplete
batch). The plain script is Keras' own `fit` with both cores, at its default batch of 32 and at our batch.
Ours also computes the validation loss.
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
    """A careful user's script: windows, layers, compile, fit."""
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
    """The same layers as ours, as the Keras guide has them."""
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
    """Our trainer, as `zenith run` sets it up, without early stopping."""
    import numpy as np

    from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer

    config = LSTMConfig(batch=batch, epochs=epochs, patience=epochs)
    values, targets = data(config.horizons)
    rows = np.arange(config.window - 1, SESSIONS)
    ends: list[float] = []
    trainer = LSTMTrainer(config, FEATURES)
    # The held-out rows are trained on too, so that an epoch has as many windows as the plain script's.
    trainer.fit(values, targets, rows, rows[-HELD_OUT:], lambda _: ends.append(time.perf_counter()))
    return ends, len(rows) // batch * batch


def data(horizons: int):
    """Noise takes as long to learn as prices."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.normal(size=(SESSIONS, FEATURES)).astype(np.float32), rng.normal(size=(SESSIONS, horizons))


def plain_windows(window: int, horizons: int):
    """(windows, window, features) and (windows, horizons), as numpy cuts them."""
    import numpy as np

    values, targets = data(horizons)
    x = np.lib.stride_tricks.sliding_window_view(values, window, axis=0).transpose(0, 2, 1)
    return np.ascontiguousarray(x), targets[window - 1 :].astype(np.float32)


def measure(train: Callable[[int, int], tuple[list[float], int]], batch: int, epochs: int) -> None:
    """Print seconds per later epoch (median), seconds from the start of this module to the last epoch, and windows."""
    started = time.perf_counter()
    ends, windows = train(batch, epochs)
    later = [after - before for before, after in pairwise(ends)]
    print(statistics.median(later), ends[-1] - started, windows)


def run(kind: str, batch: int, epochs: int, home: Path) -> tuple[float, float, int]:
    """Measure one kind in a fresh process; `home` keeps what JAX compiles."""
    command = [sys.executable, __file__, "--measure", kind, str(batch), str(epochs), str(home)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    epoch, total, windows = done.stdout.split()[-3:]
    return float(epoch), float(total), int(windows)


def prepare(kind: str, home: Path) -> None:
    """Set the backend as the plain user, or `zenith run` with a core to spare, has it."""
    from zenith_pipelines.models import TRAINING_THREADS, prepare_backend

    if kind == "plain":
        os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    else:
        prepare_backend("jax", home)
        os.environ[TRAINING_THREADS] = {"one": "1", "two": "2"}[kind]


def main() -> None:
    """Each case in turn, several times over; medians and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    add_json(parser)
    asked = parser.parse_args()
    measured: dict[str, list[tuple[float, float, int]]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as home:
        for _ in range(asked.repeats):
            for name, (kind, batch) in CASES.items():
                measured[name].append(run(kind, batch, asked.epochs, Path(home)))
                print(f"{name}: {measured[name][-1]}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    median = table(measured, asked.epochs)
    ours, default, same = (median[name] for name in (OURS, "plain TensorFlow, batch 32", "plain TensorFlow, batch 64"))
    figures = [
        Figure("epoch", ours[0], default[0]),
        Figure("epoch_same_batch", ours[0], same[0]),
        Figure("total", ours[1], default[1]),
    ]
    report("training_speed", figures, asked.json)


def table(measured: dict[str, list[tuple[float, float, int]]], epochs: int) -> dict[str, list[float]]:
    """Print and return medians: epoch, total, windows; and how many times as fast each case is as the plain ones."""
    median = {n: [statistics.median(column) for column in zip(*rows, strict=True)] for n, rows in measured.items()}
    plain_cases = [name for name in CASES if name.startswith("plain")]
    print(f"{epochs} epochs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':<30}{'epoch, s':>10}{'total, s':>10}{'windows':>9}   as fast as: " + ", ".join(plain_cases))
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
