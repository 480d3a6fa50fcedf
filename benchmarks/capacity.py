"""What tickers cost: time, processors, memory, bytes and files as a ZENITH_HOME grows from 1 ticker to 50.

Simulated tickers of 3,000 sessions are run in batches, as `zenith run` does at default settings, in one home that is
kept. After each batch: bytes by kind, and what the service takes that has all of them. Then a few tickers are trained
again, for what each further run leaves; one and another on PostgreSQL; and what lists tickers is asked with 1,000 and
10,000 names. Each batch is written down as it ends, so that a stopped run goes on: `--batches 1` does one and stops.
docs/capacity.md is written from the whole (capacity_page.py).
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
AGAIN = 4  # tickers that are trained a second time
LISTS = (1_000, 10_000)  # tickers that are names only
KINDS = ("EDGE", "NOISE", "REGIME")


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
        record = measure(asked.folder.resolve() / "home", batch)
        with (asked.folder / "batches.jsonl").open("a") as out:
            out.write(json.dumps(record) + "\n")
        print(f"{record['kind']}, {record['tickers']} tickers: {record['took']:.0f} s", flush=True)
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
    """The batches still to do, in their order."""
    pairs = zip([0, *counts], counts, strict=False)
    todo = [
        *({"kind": "first", "tickers": after, "names": tickers(before, after)} for before, after in pairs),
        {"kind": "again", "tickers": counts[-1], "names": tickers(0, min(AGAIN, counts[-1]))},
        {"kind": "postgres", "tickers": 2, "names": tickers(0, 2)},
        *({"kind": "lists", "tickers": count} for count in LISTS),
    ]
    done = {_key(record) for record in records}
    return [batch for batch in todo if _key(batch) not in done]


def _key(batch: dict[str, Any]) -> tuple[str, int]:
    """Trainings anew are the same whatever else there is."""
    return batch["kind"], 0 if batch["kind"] == "again" else batch["tickers"]


def tickers(start: int, end: int) -> list[str]:
    """Simulated tickers by number, the three kinds in turn."""
    return [f"SIM-{KINDS[number % len(KINDS)]}-{number + 1}" for number in range(start, end)]


def measure(home: Path, batch: dict[str, Any]) -> dict[str, Any]:
    """What a batch took, and what there is after it."""
    kind, names, started = batch["kind"], batch.get("names", ()), time.perf_counter()
    record = {"kind": kind, "tickers": batch["tickers"], "batch": len(names), "load_before": os.getloadavg()[0]}
    if kind == "lists":
        record |= lists(home, batch["tickers"])
    elif kind == "postgres":
        record |= postgres(names)
    else:
        before = sizes(home)
        record |= run(home, names)
        record |= {"serving": serving(home)}  # it makes copies of the models
        record |= {"bytes_before": before, "bytes": sizes(home)}
    return record | {"load_after": os.getloadavg()[0], "took": time.perf_counter() - started}


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
        Figure("ticker_bytes", sum(left(records, kind)["first"] for kind in last["bytes"]) / 1e6),
        Figure("again_bytes", (total(again["bytes"]) - total(again["bytes_before"])) / again["batch"] / 1e6),
        Figure(
            "serving_memory",
            (last["serving"]["full_mb"] - first[0]["serving"]["full_mb"]) / (count - first[0]["tickers"]),
        ),
    ]


def left(records: Sequence[dict[str, Any]], kind: str) -> dict[str, float]:
    """Bytes and files of a kind that a ticker's first run leaves, and bytes of each further run."""
    last = [record for record in records if record["kind"] == "first"][-1]
    again = next(record for record in records if record["kind"] == "again")
    more = {key: again["bytes"][kind][key] - again["bytes_before"][kind][key] for key in ("bytes", "files")}
    is_in_last = again["tickers"] < last["tickers"]  # tickers were added after the trainings anew
    first = {key: last["bytes"][kind][key] - more[key] * is_in_last for key in more}
    return {
        "first": first["bytes"] / last["tickers"],
        "files": first["files"] / last["tickers"],
        "again": more["bytes"] / again["batch"],
    }


def total(sizes: dict[str, dict[str, int]]) -> int:
    """Bytes of all kinds."""
    return sum(kind["bytes"] for kind in sizes.values())


if __name__ == "__main__":
    main()
