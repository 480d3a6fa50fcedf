"""`zenith cleanup`: delete old model versions, and old runs of Dagster."""

import json
from typing import Any

from zenith_core.words import counted
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.fetch import fold_prices
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import removed_tickers


def clean(keep_latest_n: int, *, keep_best: bool, dry_run: bool, as_json: bool) -> None:
    """Clean up the registry. Print each deletion, its reason and the space freed."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    removed_names: set[str] = set()
    runs = {"runs": 0, "bytes": 0}
    rules = RetentionRules(keep_latest_n, keep_best, dry_run)
    if registry.exists:
        from zenith_pipelines.dagster_runtime.run_retention import oldest_kept_run, purge_runs  # imports Dagster

        with open_instance(settings) as instance:
            removed_names = removed_tickers(instance)
            runs = purge_runs(instance, oldest_kept_run(settings), dry_run=dry_run)
    summary = clean_up(registry, rules, removed_names)
    summary |= {"runs_deleted": runs["runs"], "bytes_freed": summary["bytes_freed"] + runs["bytes"]}
    summary["price_snapshots_folded"] = 0 if dry_run else fold_prices(DatasetStore(settings.data_uri))
    if as_json:
        print(json.dumps(summary, indent=2, allow_nan=False))
    else:
        _show(summary)


def _show(summary: dict[str, Any]) -> None:
    verb = "would delete" if summary["dry_run"] else "deleted"
    for name, model in summary["models"].items():
        for deletion in model["deleted"]:
            print(f"{verb} {name} version {deletion['version']} ({deletion['why']}), {_size(deletion['bytes'])}")
        for version in model["broken"]:
            reasons = ", ".join(model["kept"][str(version)])
            print(f"{name} version {version} lost its artifacts but is kept: {reasons}")
    for leftover in summary["leftovers"]:
        print(f"{verb} {leftover['what']} {leftover['id']} of {leftover['of']}, {_size(leftover['bytes'])}")
    if summary["runs_deleted"]:
        days = Settings().zenith_keep_run_days
        runs = counted(summary["runs_deleted"], "run")
        print(f"{verb} {runs} of Dagster older than {days} days, with their events and logs")
    if summary["price_snapshots_folded"]:
        snapshots = counted(summary["price_snapshots_folded"], "snapshot")
        print(f"folded {snapshots} of prices into those that begin with the same rows")
    print(f"{'would free' if summary['dry_run'] else 'freed'} {_size(summary['bytes_freed'])}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"
