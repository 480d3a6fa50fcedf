"""One price forecast: our artifact in ONNX Runtime beside a Keras network of the same layers on TensorFlow.

Needs a ZENITH_HOME in which AAPL was trained. Each side is a process of its own, they take turns; milliseconds are
medians. Ours is the whole artifact, from raw window to prices and quantiles, on one thread, as the service runs it;
Keras' is the network alone, on both cores, its inputs scaled already.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from harness.figures import Figure, add_json, report

FIGURES = ("one", "one_call", "many")
MANY = 256
TICKER = "AAPL"


def onnx(calls: int) -> dict[str, float]:
    """Milliseconds of the artifact in Production for one and for many forecasts."""
    import numpy as np

    from zenith_core.inference import forecast_prices
    from zenith_serving.prediction.loaded_model import open_model
    from zenith_serving.prediction.predictor import make_predictor
    from zenith_serving.registry import open_registry
    from zenith_serving.settings import Settings

    settings, name = Settings(), f"lstm-{TICKER}"
    registry = open_registry(settings.tracking_uri)
    version = registry.production()[name]
    run = open_model(name, version, registry.fetch(name, version)).run
    snapshot = make_predictor(settings).snapshots.get(TICKER)
    window = np.repeat(snapshot.window[np.newaxis], MANY, axis=0)
    level = {"close": snapshot.close, "volatility": snapshot.volatility}
    inputs = {"window": window, **{key: np.full(MANY, value, np.float32) for key, value in level.items()}}
    return {
        "one": median_ms(lambda: forecast_prices(run, snapshot), calls),
        "many": median_ms(lambda: run(["price", "quantiles"], inputs), calls // 10) / MANY,
    }


def keras(calls: int) -> dict[str, float]:
    """Milliseconds of the ways that Keras has, on TensorFlow."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import numpy as np
    from training_speed import FEATURES, network

    model = network()
    many = np.random.default_rng(0).normal(size=(MANY, *model.input_shape[1:])).astype(np.float32)
    assert many.shape[-1] == FEATURES
    return {
        "one": median_ms(lambda: model.predict(many[:1], verbose=0), calls // 10),
        "call": median_ms(lambda: model.predict_on_batch(many[:1]), calls // 4),
        "many": median_ms(lambda: model.predict(many, batch_size=MANY, verbose=0), calls // 10) / MANY,
    }


def median_ms(work: Callable[[], object], calls: int) -> float:
    """The median of so many calls, after a few that are not counted."""
    durations = []
    for _ in range(calls + 5):
        start = time.perf_counter()
        work()
        durations.append(1000 * (time.perf_counter() - start))
    return statistics.median(durations[5:])


def measured(kind: str, calls: int) -> dict[str, float]:
    """One side, in a process of its own."""
    command = [sys.executable, __file__, "--only", kind, "--calls", str(calls)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    results: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return results


def main() -> None:
    """Both in turns; medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--only", choices=["onnx", "keras"], help=argparse.SUPPRESS)
    add_json(parser)
    options = parser.parse_args()
    if options.only:
        print(json.dumps({"onnx": onnx, "keras": keras}[options.only](options.calls)))
        return
    rounds = [{kind: measured(kind, options.calls) for kind in ("onnx", "keras")} for _ in range(options.rounds)]
    ours, theirs = (
        {key: statistics.median(one[kind][key] for one in rounds) for key in rounds[0][kind]}
        for kind in ("onnx", "keras")
    )
    pairs = [("one", "one", "one"), ("one_call", "one", "call"), ("many", "many", "many")]
    report("inference", [Figure(name, ours[a], theirs[b]) for name, a, b in pairs], options.json)


if __name__ == "__main__":
    main()
