"""Measure the forecast of all tickers on simulated tickers: CPU seconds and memory of a night, and a book's answer.

Each ticker has the served distribution of a normal return, as after a refresh. The peak memory is that of the process,
the reading of its prices included. Linear algebra has one thread, as in `zenith serve`. The answer's figures are the
median of its repetitions; CPU time hardly depends on other programs, elapsed time does. `--json` prints JSON.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from zenith_core.names import ALL_TICKERS, UNIVERSE
from zenith_core.portfolio.universe import Universe
from zenith_core.risk.forecast_distribution import LEVELS, TAILS, ForecastDistribution
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.portfolio.universe import universe_of
from zenith_pipelines.portfolio.universe_facts import universe_facts
from zenith_serving.portfolio.answers import book_answer
from zenith_serving.published.snapshot_store import SnapshotStore
from zenith_serving.schemas.universe import BookRequest, Position

SESSIONS = 2_520
HORIZONS = 30
ANSWERS = 50


def make_home(store: DatasetStore, tickers: int) -> list[str]:
    """Store cleaned prices and a snapshot for each simulated ticker; return their names."""
    generator = np.random.default_rng(1)
    days = pd.bdate_range(end="2024-06-28", periods=SESSIONS, name="date")
    common = generator.standard_normal(SESSIONS)
    quantiles = np.tile(np.array([-3.0 + 6 * level for level in LEVELS]), (HORIZONS, 1))
    shape = {"quantiles": quantiles, "highs": quantiles, "lows": quantiles}
    distribution = ForecastDistribution(
        scale_version="1",
        data_version="v",
        scale=0.015 * np.sqrt(np.arange(1, HORIZONS + 1)),
        levels=np.array(LEVELS),
        shortfalls=np.full((HORIZONS, len(TAILS)), -3.0),
        **shape,
    )
    names = [f"SIM{number}" for number in range(tickers)]
    for name in names:
        returns = 0.01 * (common + generator.standard_normal(SESSIONS))
        prices = pd.DataFrame({"close": 100 * np.exp(returns.cumsum())}, days)
        store.write("cleaned_prices", name, Dataset({"prices": prices}, {"last": "2024-06-28", "data_version": "v"}))
        snapshot = ServingSnapshot(
            name, "v", "f", date(2024, 6, 28), 100.0, "USD", 0.015, np.zeros((60, 14), np.float32),
            (date(2024, 7, 1),), distribution=distribution,
        )  # fmt: skip
        store.write("serving_snapshot", name, Dataset(facts=snapshot.to_json()))
    return names


def measure(folder: str, tickers: int, positions: int) -> dict[str, float]:
    """Return the cost of a night and of an answer for a book."""
    store = DatasetStore(folder)
    names = make_home(store, tickers)
    start = time.process_time()
    facts = universe_facts(store, universe_of(store, names))
    store.write(UNIVERSE, ALL_TICKERS, Dataset(facts=facts))
    night = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    universe = Universe.from_json(store.facts(UNIVERSE, ALL_TICKERS))
    snapshots = SnapshotStore(Path(folder) / "serving_snapshot")
    request = BookRequest(positions=[Position(ticker=name, value=1000.0) for name in names[:positions]])
    now = pd.Timestamp("2024-07-01", tz="UTC").to_pydatetime()
    seconds, cpu = [], []
    for _ in range(ANSWERS + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        book_answer(universe, snapshots, request, now).model_dump_json()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    return {
        "tickers": tickers,
        "cpu_seconds": round(night, 2),
        "peak_mb": round(peak),
        "positions": min(positions, tickers),
        "first_answer_ms": round(1000 * seconds[0], 1),
        "answer_ms": round(1000 * median(seconds[1:]), 1),
        "answer_cpu_ms": round(1000 * median(cpu[1:]), 1),
    }


def main() -> int:
    """Print the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=100, metavar="N", help="simulated tickers (default 100)")
    parser.add_argument("--positions", type=int, default=50, metavar="N", help="positions of the book (default 50)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(folder, arguments.tickers, arguments.positions)
    if arguments.json:
        print(json.dumps(figures))
    else:
        print(
            f"{figures['tickers']} tickers: {figures['cpu_seconds']} CPU s, peak {figures['peak_mb']} MB; a book of "
            f"{figures['positions']}: first {figures['first_answer_ms']} ms, then {figures['answer_ms']} ms "
            f"({figures['answer_cpu_ms']} CPU ms)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
