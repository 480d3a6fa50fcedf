"""How fast the service answers, how much memory it takes and how soon it is ready.

Needs a ZENITH_HOME in which `make run` has trained the sample tickers. Linux only.

All servers run side by side and are loaded in turn, in several rounds; a figure is the median of the rounds, which are
printed as well. The service is compared with a FastAPI endpoint that returns a constant, on the same uvicorn options,
and with `mlflow models serve --env-manager local` on the model that makes the price prediction. The memory of 100
tickers is that of 200 models: copies of the trained ones under other names.
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

from zenith_core.snapshot import ServingSnapshot
from zenith_serving.settings import Settings

FIGURES = ("cached", "uncached", "scoring", "alone", "health", "memory", "start")
TICKER = "AAPL"
TICKERS = 100
PREDICT = "/api/v1/ml/predict/"
CONSTANT, CACHED, UNCACHED = "constant endpoint, requests/s", "cached price, requests/s", "uncached price, requests/s"
SCORING = "MLflow's scoring server, same model, requests/s"
CEILING = "the load generator on a server that does nothing, requests/s"
ALONE, HEALTH = "one connection, uncached comprehensive, p50 ms", "/health during uncached price at full load, p99 ms"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    add_json(parser)
    options = parser.parse_args()
    settings = Settings()
    if not (settings.snapshots / TICKER / "current.json").exists():
        sys.exit(f"no trained {TICKER} in {settings.home}: `make run` makes it")
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    figures = [*speed(settings, options.rounds, options.seconds), memory(settings), start_up(settings, options.rounds)]
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    report("serving", figures, options.json)


def speed(settings: Settings, rounds: int, seconds: float) -> list[Figure]:
    """Requests per second and latencies."""
    with ExitStack() as stack:
        ours = stack.enter_context(zenith(settings))
        plain = stack.enter_context(constant())
        scoring = stack.enter_context(mlflow_scoring(settings, TICKER))
        nothing = stack.enter_context(constant_server(b"x" * 1500))
        cached, uncached = (_ask("price", use_cache=use) for use in (True, False))
        invocation = request("POST", "/invocations", scoring_body(settings))
        comprehensive = Group([_ask("comprehensive", use_cache=False)], connections=1)
        measures: dict[str, Callable[[], float]] = {
            CEILING: lambda: rate(nothing, cached, seconds),
            CONSTANT: lambda: rate(plain.port, request("GET", "/constant"), seconds),
            CACHED: lambda: rate(ours.port, cached, seconds),
            UNCACHED: lambda: rate(ours.port, uncached, seconds),
            SCORING: lambda: rate(scoring.port, invocation, seconds),
            ALONE: lambda: load(ours.port, comprehensive, seconds=seconds)[0].ms(0.5),
            HEALTH: lambda: health(ours, uncached, seconds),
        }
        # Round by round, so that what else the machine does meets all of them.
        measured = [{what: measure() for what, measure in measures.items()} for _ in range(rounds)]
    medians = {what: statistics.median(one[what] for one in measured) for what in measures}
    for what, median in medians.items():
        print(f"{what:<64}{median:9.1f}   of " + " ".join(f"{one[what]:.1f}" for one in measured))
    return speed_figures(medians)


def speed_figures(medians: dict[str, float]) -> list[Figure]:
    """What bars.toml promises of speed."""
    return [
        Figure("cached", medians[CACHED], medians[CONSTANT]),
        Figure("uncached", medians[UNCACHED], medians[CONSTANT]),
        Figure("scoring", medians[UNCACHED], medians[SCORING]),
        Figure("alone", medians[ALONE]),
        Figure("health", medians[HEALTH]),
    ]


def memory(settings: Settings) -> Figure:
    """Resident memory when 100 tickers have been asked for both predictions."""
    with tempfile.TemporaryDirectory() as folder, zenith(many_tickers(settings, Path(folder), TICKERS)) as server:
        for number in range(TICKERS):
            server.post(f"{PREDICT}comprehensive", {"ticker": f"T{number}"})
        loaded = server.get("/health")["models"]["loaded"]
        if loaded != 2 * TICKERS:
            sys.exit(f"{loaded} models are loaded, not {2 * TICKERS}")
        return Figure("memory", server.resident_mb)


def start_up(settings: Settings, rounds: int) -> Figure:
    """From the start of the process until /health says that it is ready."""
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        with zenith(settings):
            took.append(time.perf_counter() - started)
    return Figure("start", statistics.median(took))


def rate(port: int, asked: bytes, seconds: float) -> float:
    """Answers per second on 16 connections. Each must be 200."""
    (came,) = load(port, Group([asked]), seconds=seconds)
    if set(came.statuses) != {200}:
        sys.exit(f"not all answers were 200: {came.statuses}")
    return came.per_second


def health(server: Server, asked: bytes, seconds: float) -> float:
    """The 99th percentile of /health in ms, asked on one connection beside 16 that predict."""
    _, alone = load(server.port, Group([asked]), Group([request("GET", "/health")], connections=1), seconds=seconds)
    return alone.ms(0.99)


def scoring_body(settings: Settings) -> bytes:
    """The same question for MLflow's scoring server."""
    document = json.loads((settings.snapshots / TICKER / "current.json").read_text())
    facts = ServingSnapshot.from_json(document["facts"]).to_json()
    inputs = {"window": [facts["window"]], "close": [facts["close"]], "volatility": [facts["volatility"]]}
    return json.dumps({"inputs": inputs}).encode()


def _ask(what: str, *, use_cache: bool) -> bytes:
    return request("POST", PREDICT + what, json.dumps({"ticker": TICKER, "use_cache": use_cache}).encode())


if __name__ == "__main__":
    main()
