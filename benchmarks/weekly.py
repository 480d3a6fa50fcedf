"""CPU of a further ticker's weekly retraining within a batch: folds, final models, backtests, registration, gates.

Simulated tickers are trained in one batch, at default settings or with `--epochs`, and retrained in a second one with a
session more: so models are in Production, as on most Sundays. The figure is the median of the second batch without its
first ticker. Imports and the batch itself do not count. With `--profile FILE` the last retraining is profiled, and does
not count.
"""

import argparse
import cProfile
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.figures import Figure, add_json, report

FIGURES = ("retrain_cpu",)
FIRST = 2_900  # sessions at the first training


def main() -> None:
    """Train and retrain in batches; print the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=4)
    parser.add_argument("--epochs", type=int, help="training epochs of the LSTM; default: as the schedule")
    parser.add_argument("--profile", type=Path, help="a file for cProfile's statistics")
    add_json(parser)
    arguments = parser.parse_args()
    if arguments.tickers < (fewest := 3 if arguments.profile else 2):
        parser.error(f"--tickers {arguments.tickers}: at least {fewest}, because the first is no further one")
    warnings.simplefilter("ignore")
    tickers = [f"SIM-NOISE-{number}" for number in range(1, arguments.tickers + 1)]
    with tempfile.TemporaryDirectory() as folder:
        prices = Path(folder) / "prices"
        os.environ |= {
            "ZENITH_HOME": f"{folder}/home",
            "ZENITH_CSV_DIR": str(prices),
            "ZENITH_PRICE_SOURCE": "csv",
        }
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
        first = retrain(prices, tickers, FIRST, arguments.epochs)
        print("trained: " + ", ".join(f"{seconds:.1f}" for seconds in first) + " CPU s", flush=True)
        again = retrain(prices, tickers, FIRST + 1, arguments.epochs, arguments.profile)
        print("retrained: " + ", ".join(f"{seconds:.1f}" for seconds in again) + " CPU s")
    further = again[1:-1] if arguments.profile else again[1:]
    series = {"first": first, "again": again}
    report("weekly", [Figure("retrain_cpu", statistics.median(further))], arguments.json, series)


def retrain(
    folder: Path, tickers: Sequence[str], sessions: int, epochs: int | None, profile: Path | None = None
) -> list[float]:
    """Run `retrain_batch` on the first sessions of each ticker; return the CPU seconds of each."""
    from zenith_pipelines.dagster_runtime.instance import open_instance
    from zenith_pipelines.definitions import defs
    from zenith_pipelines.defs import batches
    from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
    from zenith_pipelines.settings import Settings
    from zenith_pipelines.tickers import add_tickers

    folder.mkdir(exist_ok=True)
    for ticker in tickers:
        SimulatedSource().fetch(ticker).prices[:sessions].to_csv(folder / f"{ticker}.csv", index_label="date")
    seconds: list[float] = []
    work_on = batches._Retraining._work_on

    def timed(batch: Any, ticker: str) -> str:
        profiler = cProfile.Profile() if profile and ticker == tickers[-1] else None
        begin = time.process_time()
        outcome = profiler.runcall(work_on, batch, ticker) if profiler else work_on(batch, ticker)
        seconds.append(time.process_time() - begin)
        if profiler:
            profiler.dump_stats(str(profile))
        if outcome != "ok":
            raise SystemExit(outcome)
        return outcome

    options = {"tickers": list(tickers), **({"epochs": epochs} if epochs else {})}
    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "ops": {"retrain_each": {"config": options}},
    }
    batches._Retraining._work_on = timed
    try:
        with open_instance(Settings()) as instance:
            add_tickers(instance, tickers)
            defs.resolve_job_def("retrain_batch").execute_in_process(instance=instance, run_config=config)
    finally:
        batches._Retraining._work_on = work_on
    return seconds


if __name__ == "__main__":
    main()
