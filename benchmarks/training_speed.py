"""Time until the LSTM reaches the best validation loss of a plain Keras/TensorFlow script, and seconds per epoch.

Both train the same layers with the same optimizer on the rows of the final model of a SIM-EDGE ticker, in fresh
processes. The clock starts before Keras is imported, and compilation counts. The plain script is Keras' `fit` on both
cores with its default batch of 32 windows, one for each row, and learns the last step of each. Ours trains as `zenith
run` does, on one core. Its first run compiles everything; its second uses the compilations that the first one kept.

The loss is that of forecasts from whole windows, for both. The time to compute it after each of our epochs is left out,
because our training does not need it. Ours stops early on its own loss; if it stops above the plain script's best loss,
the time is infinite and the bar is missed.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from harness.figures import Figure, add_json, report

FIGURES = ("to_loss", "to_loss_cached", "epoch")
FEATURES = 22  # of the models
START = time.perf_counter()


def plain(data: dict, epochs: int) -> list[tuple[float, float]]:
    """Train with a careful user's script: windows, layers, compile, fit. Return seconds and loss of each epoch."""
    import keras
    import numpy as np

    from zenith_core.features.targets import input_windows
    from zenith_pipelines.models.lstm import LSTMConfig, scaler

    config = LSTMConfig()
    train, validation = data["train"], data["validation"]
    mean, scale = scaler(data["values"][: train[-1] + 1])
    values = np.nan_to_num((data["values"] - mean) / scale)
    x, held_out = (input_windows(values, rows, config.window) for rows in (train, validation))
    model = network()
    model.compile(keras.optimizers.Adam(config.learning_rate, clipnorm=config.clip_norm), loss="huber")
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter() - START))
    answers = (held_out, data["targets"][validation])
    history = model.fit(x, data["targets"][train], validation_data=answers, epochs=epochs, callbacks=[clock], verbose=0)
    return list(zip(ends, history.history["val_loss"], strict=True))


def network():
    """Return the same layers as ours, as in the Keras guide."""
    import keras
    from keras import layers

    from zenith_pipelines.models.lstm import LSTMConfig

    config = LSTMConfig()
    stack = []
    for layer in range(config.layers):
        stack += [
            layers.LSTM(config.units, return_sequences=layer < config.layers - 1),
            layers.Dropout(config.dropout),
        ]
    return keras.Sequential(
        [
            keras.Input((config.window, FEATURES)),
            *stack,
            layers.Dense(config.dense, activation="relu"),
            layers.Dense(config.horizons),
        ]
    )


def ours(data: dict, _: int) -> list[tuple[float, float]]:
    """Train with our trainer, set up as by `zenith run`. Return seconds and loss of each epoch."""
    import numpy as np

    from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer, TrainedLSTM, _copy_arrays, scaler

    config = LSTMConfig()
    values, targets, train, validation = (data[name] for name in ("values", "targets", "train", "validation"))
    trainer = LSTMTrainer(config, FEATURES)
    mean, scale = scaler(values[train[0] - config.window + 1 : train[-1] + 1])
    results: list[tuple[float, float]] = []
    left_out = 0.0

    def score(_: int) -> None:
        nonlocal left_out
        end = time.perf_counter()
        weights = tuple(_copy_arrays(trainer._network.weights))
        model = TrainedLSTM(config.window, mean, scale, weights, ())
        error = np.abs(trainer.predict(model, values, validation) - targets[validation])
        loss = np.where(error <= 1, error**2 / 2, error - 0.5).mean()
        results.append((end - START - left_out, float(loss)))
        left_out += time.perf_counter() - end

    trainer.fit(values, targets, train, validation, score)
    return results


def save_data(file: Path, seed: int) -> None:
    """Save the model inputs, targets and rows of SIM-EDGE-`seed`."""
    import numpy as np

    from zenith_core.evaluation.walk_forward import WalkForward
    from zenith_core.features.model_features import FEATURES as COLUMNS
    from zenith_core.features.model_features import features
    from zenith_core.features.targets import forward_log_returns, standardized_returns
    from zenith_core.prices.cleaning import clean_prices
    from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
    from zenith_pipelines.models.lstm import LSTMConfig
    from zenith_pipelines.models.training_inputs import model_inputs

    ticker, config, split = f"SIM-EDGE-{seed}", LSTMConfig(), WalkForward()
    cleaned = clean_prices(SimulatedSource(2.0).fetch(ticker).prices, ticker).prices
    inputs = model_inputs(features(cleaned), COLUMNS, config.window, split)
    assert len(COLUMNS) == FEATURES
    targets = standardized_returns(forward_log_returns(inputs.close, config.horizons), inputs.volatility)
    first, fold = inputs.origins[0] - config.window + 1, split.final(len(inputs.origins))
    rows = {name: inputs.origins[getattr(fold, name)] - first for name in ("train", "validation")}
    np.savez(file, values=inputs.values[first:], targets=targets[first:].astype(np.float32), **rows)


def measure(kind: str, file: Path, epochs: int, home: Path) -> None:
    """Print seconds and validation loss of each epoch; `home` holds JAX's compilation cache."""
    import numpy as np

    from zenith_pipelines.models import prepare_backend

    data = dict(np.load(file))
    if kind == "plain":
        os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    else:
        prepare_backend("jax", home)
    print(json.dumps({"plain": plain, "ours": ours}[kind](data, epochs)))


def run(kind: str, file: Path, epochs: int, home: Path) -> list[tuple[float, float]]:
    """Measure one kind in a fresh process."""
    command = [sys.executable, __file__, "--measure", kind, str(file), str(epochs), str(home)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [tuple(epoch) for epoch in json.loads(result.stdout.splitlines()[-1])]


def time_to(loss: float, epochs: list[tuple[float, float]]) -> float:
    """Return the seconds at the end of the first epoch with at most this loss; infinite if there is none."""
    return next((seconds for seconds, reached in epochs if reached <= loss), math.inf)


def epoch_seconds(epochs: list[tuple[float, float]]) -> float:
    """Return the median seconds of all epochs but the first, which compiles."""
    return statistics.median(after[0] - before[0] for before, after in pairwise(epochs))


def main() -> None:
    """Measure each seed in turn; print a line for each, and medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=12, help="of the plain script (default 12)")
    parser.add_argument("--seeds", type=int, default=5, help="markets (default 5)")
    parser.add_argument("--first", type=int, default=101, help="first seed (default 101)")
    add_json(parser)
    arguments = parser.parse_args()
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            file, home = Path(folder) / f"{seed}.npz", Path(folder) / f"home-{seed}"
            save_data(file, seed)
            theirs, cold, cached = (run(kind, file, arguments.epochs, home) for kind in ("plain", "ours", "ours"))
            best_seconds, best_loss = min(theirs, key=lambda epoch: epoch[1])
            rows.append(
                {
                    "plain": best_seconds,
                    "cold": time_to(best_loss, cold),
                    "cached": time_to(best_loss, cached),
                    "plain_epoch": epoch_seconds(theirs),
                    "epoch": epoch_seconds(cached),
                }
            )
            print(
                f"SIM-EDGE-{seed}: plain {best_loss:.4f} after {theirs.index((best_seconds, best_loss)) + 1} epochs; "
                f"ours best {min(loss for _, loss in cold):.4f} in {len(cold)} epochs; "
                + ", ".join(f"{name} {value:.2f} s" for name, value in rows[-1].items())
                + f"; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    figures = [
        Figure("to_loss", median["cold"], median["plain"]),
        Figure("to_loss_cached", median["cached"], median["plain"]),
        Figure("epoch", median["epoch"], median["plain_epoch"]),
    ]
    report("training_speed", figures, arguments.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        kind, file, epochs, home = sys.argv[2:]
        measure(kind, Path(file), int(epochs), Path(home))
    else:
        main()
