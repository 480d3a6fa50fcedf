"""Lists and watchers with 10,000 tickers, which need no training: pages, `zenith models`, sensors, the idle service.

The home is made of rows and files (harness/many_tickers.py). A time of a list is that of a request over loopback, the
median of nine; the first page counts from the start of the service's process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness.capacity_probes import API, idle, median_ms, read
from harness.figures import Figure, add_json, report
from harness.many_tickers import fill_dagster, fill_home
from harness.servers import zenith

FIGURES = ("tickers_page", "models_page", "first_page", "unchanged", "models_command", "tick", "idle", "memory")
TICKERS = 10_000
PAGE = 100


def main() -> None:
    """Make the home, measure, print the figures beside their bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=TICKERS)
    add_json(parser)
    arguments = parser.parse_args()
    names = [f"T{number:05}" for number in range(arguments.tickers)]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = fill_home(home, names)
        figures = measure_service(settings, names)
        print(", ".join(f"{figure.name} {figure.ours:.3g}" for figure in figures), flush=True)
        figures.append(Figure("models_command", _models_command(home)))
        print(f"zenith models: {figures[-1].ours:.1f} s", flush=True)
        fill_dagster(home / "dagster", names, ("forecast_ledger", "serving_snapshot", "ensemble_model"))
        ticks = _ticks(home)
        print("seconds of a tick:", ", ".join(f"{name} {took:.2f}" for name, took in ticks.items()))
        figures.append(Figure("tick", max(ticks.values())))
    report("many_tickers", figures, arguments.json)


def measure_service(settings, names: Sequence[str]) -> list[Figure]:
    """Measure the lists of the service, its memory after listing everything, and its idle CPU."""
    start = time.perf_counter()
    with zenith(settings) as server:
        address = f"http://127.0.0.1:{server.port}{API}"
        read(f"{address}/tickers?limit={PAGE}")
        first = time.perf_counter() - start
        pages = [f"{address}/tickers?limit={PAGE}&after={name}" for name in names[PAGE::1000]]
        unread = max(median_ms(lambda page=page: read(page), 1) for page in pages)
        models = [f"{address}/models?limit={PAGE}&after=lstm-{name}/1" for name in names[::2000]]
        figures = [
            Figure("first_page", first),
            Figure("tickers_page", unread),
            Figure("models_page", max(median_ms(lambda page=page: read(page), 3) for page in models)),
        ]
        whole = median_ms(lambda: read(f"{address}/tickers"), 1)
        figures.append(Figure("unchanged", median_ms(lambda: read(f"{address}/tickers"), 3)))
        print(f"the whole list of tickers: {whole:.0f} ms the first time")
        time.sleep(10)
        return [*figures, Figure("memory", server.resident_mb), Figure("idle", idle(server.pid, 20))]


def _models_command(home: Path) -> float:
    """Return the seconds of `zenith models --json`."""
    start = time.perf_counter()
    command = [Path(sys.executable).with_name("zenith"), "models", "--json"]
    subprocess.run(command, env=_environment(home), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def _ticks(home: Path) -> dict[str, float]:
    """Return the CPU seconds of a tick of each sensor, in a process of its own; of drift, of a tick without changes."""
    command = [sys.executable, "-W", "ignore", __file__, "--ticks"]
    result = subprocess.run(command, env=_environment(home), capture_output=True, check=True, text=True)
    ticks: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return ticks


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ZENITH_HOME": str(home)}


def tick() -> None:
    """Evaluate each sensor twice, with the cursor of the first time; print the CPU seconds of the second as JSON."""
    import dagster as dg

    from zenith_pipelines.dagster_runtime.instance import open_instance
    from zenith_pipelines.defs import alert_sensors, sensors
    from zenith_pipelines.settings import Settings

    took = {}
    with open_instance(Settings()) as instance:
        for sensor in (
            sensors.tickers_in_step,
            sensors.refresh_after_close,
            alert_sensors.stale_prices,
            alert_sensors.retraining_on_drift,
        ):
            cursor = None
            for _ in range(2):
                start = _cpu_seconds()
                cursor = sensor(dg.build_sensor_context(instance=instance, cursor=cursor)).cursor
                took[sensor.name] = _cpu_seconds() - start
    print(json.dumps(took))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    if sys.argv[1:] == ["--ticks"]:
        tick()
    else:
        main()
