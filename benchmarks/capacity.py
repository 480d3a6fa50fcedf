"""Cost of tickers: time, CPU, memory, bytes and files as a ZENITH_HOME grows from 1 ticker to 50.

Batches of simulated tickers with 3,000 sessions run in one persistent home, like `zenith run` with default settings.
After each batch we measure bytes by kind, and the service with all tickers. Then a few tickers are trained again, for
the cost of a further run; two are trained on PostgreSQL; and the lists are measured with 1,000 and 10,000 tickers. Each
batch is saved when it ends, so a stopped run can continue: `--batches 1` runs one batch. capacity_page.py writes
docs/capacity.md from the results.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.capacity_probes import lists, postgres, run, serving, sizes
from harness.figures import Figure, add_json, report

FIGURES = ("run_seconds", "run_cpu", "worker_memory", "ticker_bytes", "again_bytes", "serving_memory")
COUNTS = (1, 10, 20, 30, 40, 50)
AGAIN = 4  # tickers to train a second time
LISTS = (1_000, 10_000)  # tickers in the list measurements, without training
KINDS = ("EDGE", "NOISE", "REGIME")


def main() -> None:
    """Measure the missing batches, then report on all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=Path(".zenith/benchmarks/capacity"), help="home and saved batches"
    )
    parser.add_argument("--counts", type=lambda text: [int(each) for each in text.split(",")], default=list(COUNTS))
    parser.add_argument("--batches", type=int, default=sys.maxsize, help="maximum number of batches to run now")
    add_json(parser)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    records = load(arguments.folder)
    for batch in missing(arguments.counts, records)[: arguments.batches]:
        record = measure(arguments.folder.resolve() / "home", batch)
        with (arguments.folder / "batches.jsonl").open("a") as out:
            out.write(json.dumps(record) + "\n")
        print(f"{record['kind']}, {record['tickers']} tickers: {record['took']:.0f} s", flush=True)
    records = load(arguments.folder)
    if remaining := missing(arguments.counts, records):
        print(f"{len(remaining)} batches are missing: run the same command to continue")
        return
    report("capacity", figures(records), arguments.json, {"batches": records})


def load(folder: Path) -> list[dict[str, Any]]:
    """Load the saved batches."""
    file = folder / "batches.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def missing(counts: Sequence[int], records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the remaining batches in order."""
    pairs = zip([0, *counts], counts, strict=False)
    todo = [
        *({"kind": "first", "tickers": after, "names": tickers(before, after)} for before, after in pairs),
        {"kind": "again", "tickers": counts[-1], "names": tickers(0, min(AGAIN, counts[-1]))},
        {"kind": "postgres", "tickers": 2, "names": tickers(0, 2)},
        *({"kind": "lists", "tickers": count} for count in LISTS),
    ]
    finished_keys = {_key(record) for record in records}
    return [batch for batch in todo if _key(batch) not in finished_keys]


def _key(batch: dict[str, Any]) -> tuple[str, int]:
    """Return the key of a batch; second trainings do not depend on the number of tickers."""
    return batch["kind"], 0 if batch["kind"] == "again" else batch["tickers"]


def tickers(start: int, end: int) -> list[str]:
    """Return simulated tickers by number, the three kinds in turn."""
    return [f"SIM-{KINDS[number % len(KINDS)]}-{number + 1}" for number in range(start, end)]


def measure(home: Path, batch: dict[str, Any]) -> dict[str, Any]:
    """Run a batch; return its cost and the sizes after it."""
    kind, names, start = batch["kind"], batch.get("names", ()), time.perf_counter()
    record = {"kind": kind, "tickers": batch["tickers"], "batch": len(names), "load_before": os.getloadavg()[0]}
    if kind == "lists":
        record |= lists(home, batch["tickers"])
    elif kind == "postgres":
        record |= postgres(names)
    else:
        before = sizes(home)
        record |= run(home, names)
        record |= {"serving": serving(home)}  # this copies the models
        record |= {"bytes_before": before, "bytes": sizes(home)}
    return record | {"load_after": os.getloadavg()[0], "took": time.perf_counter() - start}


def figures(records: Sequence[dict[str, Any]]) -> list[Figure]:
    """Return the cost of a ticker over all batches."""
    first = [record for record in records if record["kind"] == "first"]
    again = next(record for record in records if record["kind"] == "again")
    last, count = first[-1], first[-1]["tickers"]
    batches = [record for record in first if record["batch"] > 1]
    many = sum(record["batch"] for record in batches)
    return [
        Figure("run_seconds", sum(record["seconds"] for record in batches) / many),
        Figure("run_cpu", sum(record["cpu_seconds"] for record in batches) / many),
        Figure("worker_memory", max(record["largest_process_mb"] for record in first)),
        Figure("ticker_bytes", sum(bytes_per_run(records, kind)["first"] for kind in last["bytes"]) / 1e6),
        Figure("again_bytes", (total(again["bytes"]) - total(again["bytes_before"])) / again["batch"] / 1e6),
        Figure(
            "serving_memory",
            (last["serving"]["full_mb"] - first[0]["serving"]["full_mb"]) / (count - first[0]["tickers"]),
        ),
    ]


def bytes_per_run(records: Sequence[dict[str, Any]], kind: str) -> dict[str, float]:
    """Return bytes and files of a kind that a ticker's first run creates, and bytes of each further run."""
    last = [record for record in records if record["kind"] == "first"][-1]
    again = next(record for record in records if record["kind"] == "again")
    more = {key: again["bytes"][kind][key] - again["bytes_before"][kind][key] for key in ("bytes", "files")}
    is_in_last = again["tickers"] < last["tickers"]  # tickers were added after the second trainings
    first = {key: last["bytes"][kind][key] - more[key] * is_in_last for key in more}
    return {
        "first": first["bytes"] / last["tickers"],
        "files": first["files"] / last["tickers"],
        "again": more["bytes"] / again["batch"],
    }


def total(sizes: dict[str, dict[str, int]]) -> int:
    """Return the bytes of all kinds."""
    return sum(kind["bytes"] for kind in sizes.values())


if __name__ == "__main__":
    main()
