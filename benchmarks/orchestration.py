"""Overhead of Dagster on one ticker's job: `run_ticker` and a plain script that calls the same functions, in turns.

Both compute all assets and checks in a separate process with a fresh home, and must reach the same forecast. The plain
script passes datasets on in memory, without instance, events or IO manager. It imports Dagster to find the functions;
this time is not counted.
"""

import argparse
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from harness.figures import Figure, add_json, report

FIGURES = ("elapsed", "processors", "more")
TICKER = "AAPL"


def plain(epochs: int | None) -> float:
    """Call the function of every asset and check, and store the results; return the seconds not to count."""
    start = time.perf_counter()
    import dagster as dg

    from zenith_core.asset_selection import STAGES
    from zenith_pipelines.dagster_runtime.progress import Progress
    from zenith_pipelines.definitions import defs
    from zenith_pipelines.defs.resources import KEEP_HISTORY, ZenithResource

    import_seconds = time.perf_counter() - start
    assets = {each.key.to_user_string(): each for each in defs.assets or () if isinstance(each, dg.AssetsDefinition)}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", [TICKER])
        zenith, datasets = ZenithResource(), {}
        resources = {
            "context": dg.build_asset_context(partition_key=TICKER, instance=instance),
            "zenith": zenith,
            "progress": Progress(),
        }
        for stage in STAGES:
            result = call(
                body(assets[stage]), {**resources, **datasets}, {"epochs": epochs} if stage == "lstm_model" else {}
            )
            keep = bool(assets[stage].metadata_by_key[assets[stage].key].get(KEEP_HISTORY))
            zenith.store.write(stage, TICKER, result.value, keep_history=keep)
            datasets[stage] = result.value
            for check in defs.asset_checks or ():
                (spec,) = check.check_specs
                if spec.asset_key.to_user_string() == stage:
                    call(body(check), {**resources, **datasets, "dataset": datasets[stage]}, {})
    return import_seconds


def body(definition: Any) -> Callable[..., Any]:
    """Return the decorated function."""
    function: Callable[..., Any] = definition.op.compute_fn.decorated_fn
    return function


def call(function: Callable[..., Any], arguments: dict[str, Any], config: dict[str, Any]) -> Any:
    """Call the function with those `arguments` that are its parameters."""
    parameters = inspect.signature(function).parameters
    values = arguments | ({"config": parameters["config"].annotation(**config)} if "config" in parameters else {})
    return function(**{name: values[name] for name in parameters})


def dagster(epochs: int | None) -> float:
    """Run the job as `zenith run` and the UI do."""
    from zenith_pipelines.dagster_runtime.progress import Progress
    from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker

    outcome = run_ticker(TickerRun(TICKER, source="sample", epochs=epochs), Progress())
    if outcome["status"] != "ok":
        raise SystemExit(str(outcome["reason"]))
    return 0.0


def measure(kind: str, epochs: int | None) -> dict[str, Any]:
    """Run one of the two in a separate process; return its seconds, CPU seconds and forecast."""
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        command = [sys.executable, __file__, "--only", kind, *(["--epochs", str(epochs)] if epochs else [])]
        before, start = os.times(), time.perf_counter()
        result = subprocess.run(
            command, env={**environment, "ZENITH_HOME": home}, stdout=subprocess.PIPE, text=True, check=True
        )
        seconds, after = time.perf_counter() - start, os.times()
        output = json.loads(result.stdout.splitlines()[-1])
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "seconds": seconds - output["uncounted"],
        "busy": busy - output["uncounted"],
        "forecast": output["forecast"],
    }


def main() -> None:
    """Measure both in turns; print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, help="training epochs of the LSTM; default: as `zenith run`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["plain", "dagster"], help=argparse.SUPPRESS)
    add_json(parser)
    arguments = parser.parse_args()
    if arguments.only:
        import_seconds = {"plain": plain, "dagster": dagster}[arguments.only](arguments.epochs)
        print(json.dumps({"uncounted": import_seconds, "forecast": forecast()}))
        return
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}; epochs {arguments.epochs or 'default'}")
    rounds = []
    for _ in range(arguments.rounds):
        rounds.append((measure("plain", arguments.epochs), measure("dagster", arguments.epochs)))
        print("   ".join(f"{each['seconds']:6.1f} s, busy {each['busy']:6.1f} s" for each in rounds[-1]), flush=True)
    if len({each["forecast"] for pair in rounds for each in pair}) != 1:
        raise SystemExit("the two forecasts differ")
    figures = []
    for what, name in (("seconds", "elapsed"), ("busy", "processors")):
        a, b = (statistics.median(pair[side][what] for pair in rounds) for side in (0, 1))
        print(f"{name}, ratio by round: " + ", ".join(f"{pair[1][what] / pair[0][what]:.3f}" for pair in rounds))
        figures.append(Figure(name, b, a))
    more = statistics.median(pair[1]["busy"] - pair[0]["busy"] for pair in rounds)
    report("orchestration", [*figures, Figure("more", more)], arguments.json)


def forecast() -> float:
    """Return the forecast of the run."""
    from zenith_pipelines.datasets.store import DatasetStore
    from zenith_pipelines.settings import Settings

    answer: float = DatasetStore(Settings().data_uri).facts("forecast_ledger", TICKER)["forecast"]
    return answer


if __name__ == "__main__":
    main()
