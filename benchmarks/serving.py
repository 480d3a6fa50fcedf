"""Rate, latency, memory and start-up time of the service.

Needs a ZENITH_HOME in which `make run` has trained the sample tickers. Linux only.

All servers run side by side and are loaded in turn, in several rounds; a figure is the median of the rounds, which are
printed as well. All servers have one core and the load generator another: on one core, they take turns with it. The
service is compared with a FastAPI endpoint that returns a constant, on the same uvicorn options, and with
`mlflow models serve --env-manager local` on the same price model. 100 tickers have 200 models: copies of the trained
ones under other names.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from harness.figures import Figure, add_json, report
from harness.load import Group, constant_server, load, request
from harness.servers import Server, constant, many_tickers, mlflow_scoring, zenith

from zenith_core.names import HORIZONS
from zenith_core.risk.forecast_distribution import SERVED_LEVELS
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.settings import Settings

FIGURES = ("cached", "kept", "scoring", "alone", "first", "health", "memory", "distributions", "start")
TICKER = "AAPL"
TICKERS = 100
WITH_DISTRIBUTION = 200
PREDICT = "/api/v1/ml/predict/"
CONSTANT, CACHED = "constant endpoint, requests/s", "cached price, requests/s"
KEPT = "price from the kept forecast, requests/s"
SCORING = "MLflow's scoring server, same model, requests/s"
CEILING = "the load generator on a server that does nothing, requests/s"
ALONE = "one connection, comprehensive from kept forecasts, p50 ms"
FIRST = "first price after new data, ms"
HEALTH = "/health while prices are computed at full load, p99 ms"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each load")
    add_json(parser)
    options = parser.parse_args()
    settings = Settings()
    if not (settings.snapshots / TICKER / "current.json").exists():
        sys.exit(f"no trained {TICKER} in {settings.home}: `make run` makes it")
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    figures = [
        *speed(settings, options.rounds, options.seconds),
        memory(settings),
        distributions(settings),
        start_up(settings, options.rounds),
    ]
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    report("serving", figures, options.json)


def speed(settings: Settings, rounds: int, seconds: float) -> list[Figure]:
    """Measure requests per second and latencies."""
    with ExitStack() as stack:
        ours = stack.enter_context(zenith(settings))
        plain = stack.enter_context(constant())
        scoring = stack.enter_context(mlflow_scoring(settings, TICKER))
        nothing = stack.enter_context(constant_server(b"x" * 1500))
        cached, kept = (_ask("price", use_cache=use) for use in (True, False))
        invocation = request("POST", "/invocations", scoring_body(settings))
        comprehensive = Group([_ask("comprehensive", use_cache=False)], connections=1)
        generator, *others = sorted(os.sched_getaffinity(0))
        for pid in (ours.pid, plain.pid, scoring.pid):
            os.sched_setaffinity(pid, others or [generator])
        os.sched_setaffinity(0, [generator])
        stack.callback(os.sched_setaffinity, 0, [generator, *others])
        measures: dict[str, Callable[[], float]] = {
            CEILING: lambda: rate(nothing, cached, seconds),
            CONSTANT: lambda: rate(plain.port, request("GET", "/constant"), seconds),
            CACHED: lambda: rate(ours.port, cached, seconds),
            KEPT: lambda: rate(ours.port, kept, seconds),
            SCORING: lambda: rate(scoring.port, invocation, seconds),
            ALONE: lambda: load(ours.port, comprehensive, seconds=seconds)[0].ms(0.5),
            FIRST: lambda: first_answer(settings, ours),
            HEALTH: lambda: health(ours, kept, seconds),
        }
        # In rounds, so that other work on the machine affects all of them.
        results = [{name: measure() for name, measure in measures.items()} for _ in range(rounds)]
    medians = {name: statistics.median(result[name] for result in results) for name in measures}
    for name, median in medians.items():
        print(f"{name:<64}{median:9.1f}   of " + " ".join(f"{result[name]:.1f}" for result in results))
    return speed_figures(medians)


def speed_figures(medians: dict[str, float]) -> list[Figure]:
    """Return the figures of speed in bars.toml."""
    return [
        Figure("cached", medians[CACHED], medians[CONSTANT]),
        Figure("kept", medians[KEPT], medians[CONSTANT]),
        Figure("scoring", medians[KEPT], medians[SCORING]),
        Figure("alone", medians[ALONE]),
        Figure("first", medians[FIRST]),
        Figure("health", medians[HEALTH]),
    ]


def memory(settings: Settings) -> Figure:
    """Measure resident memory after both predictions of 100 tickers."""
    with tempfile.TemporaryDirectory() as folder, zenith(many_tickers(settings, Path(folder), TICKERS)) as server:
        for number in range(TICKERS):
            server.post(f"{PREDICT}comprehensive", {"ticker": f"T{number}"})
        models = server.get("/health")["models"]["loaded"]
        if models != 2 * TICKERS:
            sys.exit(f"{models} models are in memory, not {2 * TICKERS}")
        return Figure("memory", server.resident_mb)


def distributions(settings: Settings) -> Figure:
    """Measure resident memory after 200 tickers were asked for 11 quantiles of 30 sessions, and for their risk."""
    levels = list(SERVED_LEVELS)
    count = WITH_DISTRIBUTION
    with tempfile.TemporaryDirectory() as folder, zenith(many_tickers(settings, Path(folder), count)) as server:
        for number in range(count):
            ticker = f"T{number}"
            answer = server.post(f"{PREDICT}price", {"ticker": ticker, "horizon": HORIZONS, "quantiles": levels})
            server.post(f"{PREDICT}risk", {"ticker": ticker, "horizon": HORIZONS, "touch": [{"pct": 3}]})
            shape = [len(quantile["prices"]) for quantile in answer["quantiles"]]
            if shape != [HORIZONS] * len(levels):
                sys.exit(f"{ticker} was answered with quantiles of {shape} sessions")
        return Figure("distributions", server.resident_mb)


def start_up(settings: Settings, rounds: int) -> Figure:
    """Measure the time from the start of the process until /health reports ready."""
    durations = []
    for _ in range(rounds):
        start = time.perf_counter()
        with zenith(settings):
            durations.append(time.perf_counter() - start)
    return Figure("start", statistics.median(durations))


def rate(port: int, question: bytes, seconds: float) -> float:
    """Return the responses per second on 16 connections. Each must be 200."""
    (result,) = load(port, Group([question]), seconds=seconds)
    if set(result.statuses) != {200}:
        sys.exit(f"not all responses were 200: {result.statuses}")
    return result.per_second


def first_answer(settings: Settings, server: Server, repeats: int = 10) -> float:
    """Return the median milliseconds of the first price after the snapshot's file was replaced.

    It reads the file, opens the model and computes its forecast. The replacement has the same content.
    """
    path = settings.snapshots / TICKER / "current.json"
    durations = []
    for _ in range(repeats):
        (path.parent / "new").write_bytes(path.read_bytes())
        (path.parent / "new").replace(path)
        start = time.perf_counter()
        server.post(f"{PREDICT}price", {"ticker": TICKER, "use_cache": False})
        durations.append(1000 * (time.perf_counter() - start))
    return statistics.median(durations)


def health(server: Server, question: bytes, seconds: float) -> float:
    """Return the 99th percentile of /health in ms, on one connection beside 16 that predict."""
    _, result = load(server.port, Group([question]), Group([request("GET", "/health")], connections=1), seconds=seconds)
    return result.ms(0.99)


def scoring_body(settings: Settings) -> bytes:
    """Return the same question for MLflow's scoring server."""
    document = json.loads((settings.snapshots / TICKER / "current.json").read_text())
    facts = ServingSnapshot.from_json(document["facts"]).to_json()
    inputs = {"window": [facts["window"]], "close": [facts["close"]], "volatility": [facts["volatility"]]}
    return json.dumps({"inputs": inputs}).encode()


def _ask(what: str, *, use_cache: bool) -> bytes:
    return request("POST", PREDICT + what, json.dumps({"ticker": TICKER, "use_cache": use_cache}).encode())


if __name__ == "__main__":
    main()
