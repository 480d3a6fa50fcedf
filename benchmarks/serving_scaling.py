"""How the service's rate grows with connections, beside a constant FastAPI endpoint, and its memory with tickers.

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
    """Median requests per second by number of connections."""
    with zenith(settings) as ours, constant() as plain:
        asked = {
            "constant endpoint": (plain.port, request("GET", "/constant")),
            "cached price": (ours.port, price(use_cache=True)),
            "uncached price": (ours.port, price(use_cache=False)),
        }
        found: dict[str, list[float]] = {what: [] for what in asked}
        for connections in CONNECTIONS:
            for what, (port, question) in asked.items():
                taken = [rate(port, Group([question], connections), seconds) for _ in range(rounds)]
                found[what].append(statistics.median(taken))
    return found


def rate(port: int, group: Group, seconds: float) -> float:
    """Answers per second; each must be 200."""
    (came,) = load(port, group, seconds=seconds)
    if set(came.statuses) != {200}:
        sys.exit(f"not all answers were 200: {came.statuses}")
    return came.per_second


def memory(settings: Settings) -> list[float]:
    """Resident MB after so many of TICKERS have been asked, in one service."""
    found = []
    with tempfile.TemporaryDirectory() as folder, zenith(many_tickers(settings, Path(folder), TICKERS[-1])) as server:
        for number in range(TICKERS[-1]):
            server.post(f"{PREDICT}comprehensive", {"ticker": f"T{number}"})
            if number + 1 in TICKERS:
                found.append(server.resident_mb)
    return found


def price(*, use_cache: bool) -> bytes:
    """The question."""
    return request("POST", f"{PREDICT}price", json.dumps({"ticker": TICKER, "use_cache": use_cache}).encode())


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load")
    add_json(parser)
    asked = parser.parse_args()
    settings = Settings()
    by_connections, by_tickers = rates(settings, asked.rounds, asked.seconds), memory(settings)
    for what, values in by_connections.items():
        print(f"{what:<20}" + "".join(f"{value:>9,.0f}" for value in values) + " /s")
    figures = [
        Figure("connections", by_connections["cached price"][-1], by_connections["cached price"][0]),
        Figure("ticker_memory", (by_tickers[-1] - by_tickers[0]) / (TICKERS[-1] - TICKERS[0])),
    ]
    series = {"connections": CONNECTIONS, "rates": by_connections, "tickers": TICKERS, "mb": by_tickers}
    report("serving_scaling", figures, asked.json, series)


if __name__ == "__main__":
    main()
