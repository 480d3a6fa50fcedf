"""What Dagster adds to one ticker's job: `run_ticker`, beside the same functions called by a plain script, in turns.

Both make all assets and evaluate all checks, in a fresh home and a process of its own, and must come to the same
forecast. The plain script hands datasets on in memory and has no instance, no events and no IO manager; the time that
it takes to import Dagster, through which it finds the functions, is not counted.
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

FIGURES = ("elapsed", "processors")
TICKER = "AAPL"


def plain(epochs: int | None) -> float:
    """Call every asset's and check's own function, store what comes of it; return the seconds not to be counted."""

    started = time.perf_counter()
    import dagster as dg

    from zenith_core.asset_selection import STAGES
    from zenith_pipelines.dagster_runtime.progress import Progress
    from zenith_pipelines.definitions import defs
    from zenith_pipelines.defs.resources import KEEP_HISTORY, ZenithResource

    uncounted = time.perf_counter() - started
    assets = {each.key.to_user_string(): each for each in defs.assets or () if isinstance(each, dg.AssetsDefinition)}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", [TICKER])
        zenith, made = ZenithResource(), {}
        given = {
            "context": dg.build_asset_context(partition_key=TICKER, instance=instance),
            "zenith": zenith,
            "progress": Progress(),
        }
        for stage in STAGES:
            result = call(body(assets[stage]), {**given, **made}, {"epochs": epochs} if stage == "lstm_model" else {})
            keep = bool(assets[stage].metadata_by_key[assets[stage].key].get(KEEP_HISTORY))
            zenith.store.write(stage, TICKER, result.value, keep_history=keep)
            made[stage] = result.value
            for check in defs.asset_checks or ():
                (spec,) = check.check_specs
                if spec.asset_key.to_user_string() == stage:
                    call(body(check), {**given, **made, "dataset": made[stage]}, {})
    return uncounted


def body(definition: Any) -> Callable[..., Any]:
    """The function that was decorated."""
    function: Callable[..., Any] = definition.op.compute_fn.decorated_fn
    return function


def call(function: Callable[..., Any], given: dict[str, Any], config: dict[str, Any]) -> Any:
    """Call the function with what it asks for by name."""
    parameters = inspect.signature(function).parameters
    known = given | ({"config": parameters["config"].annotation(**config)} if "config" in parameters else {})
    return function(**{name: known[name] for name in parameters})


def dagster(epochs: int | None) -> float:
    """The same as one Dagster run, as `zenith run` and the UI have it."""
    from zenith_pipelines.dagster_runtime.progress import Progress
    from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker

    outcome = run_ticker(TickerRun(TICKER, source="sample", epochs=epochs), Progress())
    if outcome["status"] != "ok":
        raise SystemExit(str(outcome["reason"]))
    return 0.0


def measure(kind: str, epochs: int | None) -> dict[str, Any]:
    """Run one of both in a process of its own: its seconds, its seconds on the processors, and its forecast."""
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        command = [sys.executable, __file__, "--only", kind, *(["--epochs", str(epochs)] if epochs else [])]
        before, started = os.times(), time.perf_counter()
        done = subprocess.run(
            command, env={**environment, "ZENITH_HOME": home}, stdout=subprocess.PIPE, text=True, check=True
        )
        seconds, after = time.perf_counter() - started, os.times()
        told = json.loads(done.stdout.splitlines()[-1])
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "seconds": seconds - told["uncounted"],
        "busy": busy - told["uncounted"],
        "forecast": told["forecast"],
    }


def main() -> None:
    """Measure both in turns; print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, help="passes of the LSTM over its data; default: as `zenith run`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["plain", "dagster"], help=argparse.SUPPRESS)
    add_json(parser)
    asked = parser.parse_args()
    if asked.only:
        uncounted = {"plain": plain, "dagster": dagster}[asked.only](asked.epochs)
        print(json.dumps({"uncounted": uncounted, "forecast": forecast()}))
        return
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}; epochs {asked.epochs or 'as by default'}")
    rounds = []
    for _ in range(asked.rounds):
        rounds.append((measure("plain", asked.epochs), measure("dagster", asked.epochs)))
        print("   ".join(f"{each['seconds']:6.1f} s, busy {each['busy']:6.1f} s" for each in rounds[-1]), flush=True)
    if len({each["forecast"] for pair in rounds for each in pair}) != 1:
        raise SystemExit("they did not come to the same forecast")
    figures = []
    for what, name in (("seconds", "elapsed"), ("busy", "processors")):
        a, b = (statistics.median(pair[side][what] for pair in rounds) for side in (0, 1))
        print(f"{name}, ratio by round: " + ", ".join(f"{pair[1][what] / pair[0][what]:.3f}" for pair in rounds))
        figures.append(Figure(name, b, a))
    report("orchestration", figures, asked.json)


def forecast() -> float:
    """What the run came to."""
    from zenith_pipelines.datasets.store import DatasetStore
    from zenith_pipelines.settings import Settings

    answer: float = DatasetStore(Settings().data_uri).facts("forecast_ledger", TICKER)["forecast"]
    return answer


if __name__ == "__main__":
    main()
