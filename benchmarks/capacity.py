"""What tickers cost: time, processors, memory, bytes and files as a ZENITH_HOME grows from 1 ticker to 50.

Simulated tickers of 3,000 sessions are run in batches, as `zenith run` does at default settings, in one home that is
kept. After each batch: bytes by kind, and what the service takes that has all of them. Then a few tickers are trained
again, for what each further run leaves. Each batch is written down as it ends, so that a stopped run goes on:
`--batches 1` does one and stops. docs/capacity.md is written from the whole (capacity_page.py).
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from figures import Figure, add_json, report
from servers import zenith
from whole_job import descendants, resident_gb

from zenith_serving.settings import Settings

FIGURES = ("run_seconds", "run_cpu", "worker_memory", "ticker_bytes", "again_bytes", "serving_memory")
COUNTS = (1, 10, 20, 30, 40, 50)
AGAIN = 4  # tickers that are trained a second time
KINDS = ("EDGE", "NOISE", "REGIME")
BYTES = {  # a kind of bytes: where under ZENITH_HOME
    "Dagster's runs and events": "dagster",
    "MLflow's database": "mlflow/mlflow.db*",
    "MLflow's artifacts": "mlflow/artifacts",
    "datasets (parquet)": "data",
    "reports (HTML)": "reports",
    "serving's copies of models": "serving-models",
}
API = "/api/v1/ml"


def main() -> None:
    """Measure what is missing, then report on the whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(".zenith/benchmarks/capacity"), help="what is kept")
    parser.add_argument("--counts", type=lambda text: [int(each) for each in text.split(",")], default=list(COUNTS))
    parser.add_argument("--batches", type=int, default=sys.maxsize, help="stop after so many")
    add_json(parser)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    records = kept(asked.folder)
    for batch in missing(asked.counts, records)[: asked.batches]:
        record = measure(asked.folder.resolve() / "home", **batch)
        with (asked.folder / "batches.jsonl").open("a") as out:
            out.write(json.dumps(record) + "\n")
        print(f"{record['kind']} {record['batch']}, {record['tickers']} in all: {record['seconds']:.0f} s", flush=True)
    records = kept(asked.folder)
    if left := missing(asked.counts, records):
        print(f"{len(left)} batches are missing: the same command goes on")
        return
    report("capacity", figures(records), asked.json, {"batches": records})


def kept(folder: Path) -> list[dict[str, Any]]:
    """What was measured so far."""
    file = folder / "batches.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def missing(counts: Sequence[int], records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The batches still to do: how many tickers there are before each and after it, or the one of trainings anew."""
    done = [record["tickers"] for record in records if record["kind"] == "first"]
    todo: list[dict[str, Any]] = [
        {"kind": "first", "names": tickers(before, after), "total": after}
        for before, after in zip([0, *counts], counts, strict=False)
        if after not in done
    ]
    if not any(record["kind"] == "again" for record in records):
        todo.append({"kind": "again", "names": tickers(0, min(AGAIN, counts[-1])), "total": counts[-1]})
    return todo


def tickers(start: int, end: int) -> list[str]:
    """Simulated tickers by number, the three kinds in turn."""
    return [f"SIM-{KINDS[number % len(KINDS)]}-{number + 1}" for number in range(start, end)]


def measure(home: Path, kind: str, names: Sequence[str], total: int) -> dict[str, Any]:
    """Run the tickers; what it took, and what there is afterwards."""
    before = sizes(home)
    record = {"kind": kind, "tickers": total, "batch": len(names), "load_before": os.getloadavg()[0]}
    record |= run(home, names)
    record |= {"load_after": os.getloadavg()[0], "bytes_before": before, "bytes": sizes(home)}
    return record | {"serving": serving(home)}


def run(home: Path, names: Sequence[str]) -> dict[str, Any]:
    """`zenith run`: seconds, seconds of processors, the peak of all its processes, mean seconds of each stage."""
    command = [Path(sys.executable).with_name("zenith"), "run", "--source", "simulated", "--json"]
    peak, cpu, started = 0.0, os.times(), time.perf_counter()
    job = subprocess.Popen(
        [*command, "--tickers", ",".join(names)],
        env={**os.environ, "ZENITH_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told: list[str] = []
    reader = threading.Thread(target=lambda: told.append(job.stdout.read()))  # type: ignore[union-attr]
    reader.start()  # an answer longer than a pipe holds would wait for ever
    while job.poll() is None:
        peak = max(peak, *map(resident_gb, [job.pid, *descendants(job.pid)]))
        time.sleep(0.5)
    seconds, after = time.perf_counter() - started, os.times()
    reader.join()
    if job.returncode:
        raise SystemExit(f"zenith run ended with status {job.returncode}")
    by_ticker = json.loads(told[0])["tickers"].values()
    stages = {stage: sum(each["seconds"][stage] for each in by_ticker) / len(names) for stage in _stages(by_ticker)}
    busy = after.children_user + after.children_system - cpu.children_user - cpu.children_system
    return {"seconds": seconds, "cpu_seconds": busy, "largest_process_mb": 1000 * peak, "stages": stages}


def _stages(by_ticker: Any) -> list[str]:
    return list(next(iter(by_ticker))["seconds"])


def sizes(home: Path) -> dict[str, dict[str, int]]:
    """Bytes and files of each kind."""
    found = {}
    for kind, pattern in BYTES.items():
        files = [each for place in home.glob(pattern) for each in [place, *place.rglob("*")] if each.is_file()]
        found[kind] = {"bytes": sum(each.stat().st_size for each in files), "files": len(files)}
    return found


def serving(home: Path) -> dict[str, float]:
    """The service with all tickers: start, memory, what it does while nobody asks, and how long its lists take."""
    settings = Settings(zenith_home=home)
    names = sorted(path.name for path in settings.snapshots.iterdir())
    started = time.perf_counter()
    with zenith(settings) as server:
        measured = {"start_seconds": time.perf_counter() - started, "empty_mb": server.resident_mb}
        for name in names:
            server.post(f"{API}/predict/comprehensive", {"ticker": name})
        measured |= {"full_mb": server.resident_mb, "tickers": len(names)}
        for what, path in (("tickers_ms", f"{API}/tickers"), ("models_ms", f"{API}/models")):
            measured[what] = median_ms(lambda path=path: server.get(path))
        measured["idle_cpu_share"] = idle(server.pid)
    return measured


def median_ms(ask: Callable[[], object], times: int = 9) -> float:
    """The median of a few."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - started))
    return sorted(took)[times // 2]


def idle(pid: int, seconds: float = 10.0) -> float:
    """The share of one processor that a process takes by itself."""
    before = _ticks(pid)
    time.sleep(seconds)
    return (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / seconds


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def figures(records: Sequence[dict[str, Any]]) -> list[Figure]:
    """What a ticker costs, over all batches."""
    first = [record for record in records if record["kind"] == "first"]
    again = next(record for record in records if record["kind"] == "again")
    last, count = first[-1], first[-1]["tickers"]
    batches = [record for record in first if record["batch"] > 1]
    many = sum(record["batch"] for record in batches)
    return [
        Figure("run_seconds", sum(record["seconds"] for record in batches) / many),
        Figure("run_cpu", sum(record["cpu_seconds"] for record in batches) / many),
        Figure("worker_memory", max(record["largest_process_mb"] for record in first)),
        Figure("ticker_bytes", total(last["bytes"]) / count / 1e6),
        Figure("again_bytes", (total(again["bytes"]) - total(again["bytes_before"])) / again["batch"] / 1e6),
        Figure(
            "serving_memory",
            (last["serving"]["full_mb"] - first[0]["serving"]["full_mb"]) / (count - first[0]["tickers"]),
        ),
    ]


def total(sizes: dict[str, dict[str, int]]) -> int:
    """Bytes of all kinds."""
    return sum(kind["bytes"] for kind in sizes.values())


if __name__ == "__main__":
    main()
