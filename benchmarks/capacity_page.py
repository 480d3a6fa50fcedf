"""Write docs/capacity.md from the JSON of run_all.py: every figure is measured, or computed from measurements.

The text is in capacity_text.py. Without a capacity measurement the page does not change.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from capacity import bytes_per_run
from capacity_text import text

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "capacity.md"
SCALES = (50, 1_000, 10_000, 100_000)
NIGHT_HOURS = 8
WEEKS = 52
KEPT_VERSIONS = 5  # of each model, the default of `zenith cleanup`
WORKER_GB = 1.5  # the bar of one ticker's job

Batch = dict[str, Any]


def page(results: Mapping[str, Any]) -> str | None:
    """Return the text of the page, or None if the results have no capacity measurement."""
    entry = results["benchmarks"].get("capacity")
    if not entry or entry["failure"]:
        return None
    facts = facts_of(entry["series"]["batches"], results["machines"][entry["machine"]])
    drawn = [name for name, each in results["benchmarks"].items() if each["series"]]
    return text({"when": entry["when"], "drawn": drawn, **facts})


def facts_of(batches: Sequence[Batch], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of the text."""
    first = [batch for batch in batches if batch["kind"] == "first"]
    postgres = next(batch for batch in batches if batch["kind"] == "postgres")
    last, many = first[-1], [batch for batch in first if batch["batch"] > 1]
    kinds = [{"kind": kind, **bytes_per_run(batches, kind)} for kind in last["bytes"]]
    one, two = postgres["bytes"]
    cost = {
        "cpu": mean(many, "cpu_seconds"),
        "seconds": mean(many, "seconds"),
        "worker_mb": max(batch["largest_process_mb"] for batch in first),
        "model_mb": (last["serving"]["full_mb"] - first[0]["serving"]["full_mb"])
        / (last["tickers"] - first[0]["tickers"]),
        "postgres": {name: two[name] - one[name] for name in one},
        "postgres_start": {name: 2 * one[name] - two[name] for name in one},
        "stages": {stage: weighted(many, stage) for stage in last["stages"]},
    }
    return {
        "machine": machine,
        "first": first,
        "last": last,
        "kinds": kinds,
        "sums": {key: sum(kind[key] for kind in kinds) for key in ("first", "files", "again")},
        "cost": cost,
        "lists": [batch for batch in batches if batch["kind"] == "lists"],
        "scales": [scale(tickers, cost, kinds, machine["cores"]) for tickers in SCALES],
        "loads": [batch[key] for batch in batches for key in ("load_before", "load_after")],
        "night": NIGHT_HOURS,
        "kept_versions": KEPT_VERSIONS,
    }


def scale(tickers: int, cost: Mapping[str, Any], kinds: Sequence[Mapping[str, Any]], cores: int) -> dict[str, Any]:
    """Return the cost of a number of tickers, extrapolated from the measured cost of one."""
    by_kind = {kind["kind"]: kind for kind in kinds}
    events, database, artifacts = (
        by_kind[kind] for kind in ("Dagster's runs and events", "MLflow's database", "MLflow's artifacts")
    )
    cpu_hours = tickers * cost["cpu"] / 3600
    versions = artifacts["first"] + (KEPT_VERSIONS - 1) * artifacts["again"]
    return {
        "tickers": tickers,
        "cpu_hours": cpu_hours,
        "hours_here": cpu_hours / cores,
        "night_cores": max(1, -(-cpu_hours // NIGHT_HOURS)),
        "first_bytes": tickers * sum(kind["first"] for kind in kinds),
        "year_events": tickers * (events["first"] + (WEEKS - 1) * events["again"]),
        "year_database": tickers * (database["first"] + (WEEKS - 1) * database["again"]),
        "year_postgres": tickers * WEEKS * sum(cost["postgres"].values()),
        "kept_artifacts": tickers * versions,
        "year_artifacts": tickers * (artifacts["first"] + (WEEKS - 1) * artifacts["again"]),
        "models_mb": tickers * cost["model_mb"],
        "copies": tickers * by_kind["serving's copies of models"]["first"],
        "runs_a_week": 6 * tickers,
    }


def mean(batches: Sequence[Batch], key: str) -> float:
    """Return the mean per ticker."""
    return float(sum(batch[key] for batch in batches) / sum(batch["batch"] for batch in batches))


def weighted(batches: Sequence[Batch], stage: str) -> float:
    """Return the mean seconds of a stage."""
    total = sum(batch["stages"][stage] * batch["batch"] for batch in batches)
    return float(total / sum(batch["batch"] for batch in batches))


def main() -> None:
    """Write the page from the given results, or from the committed ones."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results" / "bench.json"
    content = page(json.loads(file.read_text()))
    if content is not None:
        PAGE.write_text(content)
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
