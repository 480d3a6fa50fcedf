"""Growth of the service's rate with connections, beside a constant FastAPI endpoint, and of its memory with tickers.

Needs a ZENITH_HOME in which AAPL was trained. Linux only. The tickers are copies of those trained, under other names.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from harness.figures import Figure, add_json, report
from harness.load import Group, load, request
from harness.servers import constant, many_tickers, zenith

from zenith_serving.settings import Settings

FIGURES = ("connections", "ticker_memory")
CONNECTIONS = (1, 2, 4, 8, 16, 32, 64)
TICKERS = (1, 25, 50, 100, 200)
TICKER = "AAPL"
PREDICT = "/api/v1/ml/predict/"


def rates(settings: Settings, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Measure the median requests per second by number of connections."""
    with zenith(settings) as ours, constant() as plain:
        questions = {
            "constant endpoint": (plain.port, request("GET", "/constant")),
            "cached price": (ours.port, price(use_cache=True)),
            "price from the kept forecast": (ours.port, price(use_cache=False)),
        }
        medians: dict[str, list[float]] = {name: [] for name in questions}
        for connections in CONNECTIONS:
            for name, (port, question) in questions.items():
                results = [rate(port, Group([question], connections), seconds) for _ in range(rounds)]
                medians[name].append(statistics.median(results))
    return medians


def rate(port: int, group: Group, seconds: float) -> float:
    """Return the responses per second; each must be 200."""
    (result,) = load(port, group, seconds=seconds)
    if set(result.statuses) != {200}:
        sys.exit(f"not all responses were 200: {result.statuses}")
    return result.per_second


def memory(settings: Settings) -> list[float]:
    """Measure resident MB of one service after the predictions of each number of TICKERS."""
    sizes = []
    with tempfile.TemporaryDirectory() as folder, zenith(many_tickers(settings, Path(folder), TICKERS[-1])) as server:
        for number in range(TICKERS[-1]):
            server.post(f"{PREDICT}comprehensive", {"ticker": f"T{number}"})
            if number + 1 in TICKERS:
                sizes.append(server.resident_mb)
    return sizes


def price(*, use_cache: bool) -> bytes:
    """Return a request for a price."""
    return request("POST", f"{PREDICT}price", json.dumps({"ticker": TICKER, "use_cache": use_cache}).encode())


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load")
    add_json(parser)
    options = parser.parse_args()
    settings = Settings()
    by_connections, by_tickers = rates(settings, options.rounds, options.seconds), memory(settings)
    for name, values in by_connections.items():
        print(f"{name:<30}" + "".join(f"{value:>9,.0f}" for value in values) + " /s")
    figures = [
        Figure("connections", by_connections["cached price"][-1], by_connections["cached price"][0]),
        Figure("ticker_memory", (by_tickers[-1] - by_tickers[0]) / (TICKERS[-1] - TICKERS[0])),
    ]
    series = {"connections": CONNECTIONS, "rates": by_connections, "tickers": TICKERS, "mb": by_tickers}
    report("serving_scaling", figures, options.json, series)


if __name__ == "__main__":
    main()
