"""CPU of a ticker's nightly refresh: within a batch's step, beside a run of its own, in turns in one warm process.

A simulated ticker is trained once, with one epoch. Then its file of prices grows by a session a night: nights alternate
between the job `refresh_batch` and the job `refresh_prices`, which recompute the same assets and checks. Imports do not
count, nor what the batch itself costs, which `orchestration.py` measures.
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from harness.figures import Figure, add_json, report

FIGURES = ("refresh_cpu",)
TICKER = "SIM-NOISE-1"
FIRST = 2_900  # sessions at the training
WARM_UP = 2  # nights of each kind that do not count: imports, and the first certificate


def main() -> None:
    """Train, refresh night by night, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=9, help="of each kind")
    add_json(parser)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "ZENITH_HOME": f"{folder}/home",
            "ZENITH_CSV_DIR": f"{folder}/prices",
            "ZENITH_PRICE_SOURCE": "csv",
        }
        series = _nights(Path(folder) / "prices" / f"{TICKER}.csv", arguments.nights)
    medians = {kind: statistics.median(seconds[WARM_UP:]) for kind, seconds in series.items()}
    report("nightly", [Figure("refresh_cpu", medians["step"], medians["run"])], arguments.json, series)


def _nights(file: Path, nights: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each night, within a step and as a run."""
    from zenith_pipelines.dagster_runtime.progress import Progress
    from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
    from zenith_pipelines.ingestion.sources.simulated import SimulatedSource

    prices = SimulatedSource().fetch(TICKER).prices
    file.parent.mkdir()

    def run(sessions: int, **options: Any) -> float:
        prices[:sessions].to_csv(file, index_label="date")
        begin = time.process_time()
        outcome = run_ticker(TickerRun(TICKER, **options), Progress())
        if outcome["status"] != "ok":
            raise SystemExit(str(outcome["reason"]))
        return time.process_time() - begin

    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; training: {run(FIRST, epochs=1):.0f} CPU s", flush=True
    )
    series: dict[str, list[float]] = {"step": [], "run": []}
    for night in range(nights):
        series["run"].append(run(FIRST + 2 * night + 1, job="refresh_prices"))
        prices[: FIRST + 2 * night + 2].to_csv(file, index_label="date")
        series["step"].append(_in_step())
        print(
            f"night {night + 1}: in a step {series['step'][-1]:.2f}, as a run {series['run'][-1]:.2f} CPU s", flush=True
        )
    return series


def _in_step() -> float:
    """Run `refresh_batch` with the ticker; return the CPU seconds of its refresh alone."""
    from zenith_pipelines.dagster_runtime.instance import open_instance
    from zenith_pipelines.definitions import defs
    from zenith_pipelines.defs import batches
    from zenith_pipelines.settings import Settings

    seconds: list[float] = []
    refresh = batches.refresh_ticker

    def timed(*arguments: Any) -> str | None:
        begin = time.process_time()
        problem = refresh(*arguments)
        seconds.append(time.process_time() - begin)
        return problem

    batches.refresh_ticker = timed
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    try:
        with open_instance(Settings()) as instance:
            result = defs.resolve_job_def("refresh_batch").execute_in_process(
                instance=instance, run_config={**config, "ops": {"refresh_each": {"config": {"tickers": [TICKER]}}}}
            )
    finally:
        batches.refresh_ticker = refresh
    runs = [event for event in result.all_events if event.event_type_value == "STEP_OUTPUT"]
    if runs[0].step_output_data.metadata["outcomes"].value != {TICKER: "ok"}:
        raise SystemExit("the refresh failed")
    return sum(seconds)


if __name__ == "__main__":
    main()
