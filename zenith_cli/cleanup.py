"""`zenith cleanup`: delete old model versions."""

import json
from typing import Any

from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import removed_tickers


def clean(keep_latest_n: int, *, keep_best: bool, dry_run: bool, as_json: bool) -> None:
    """Clean up the registry. Print each deletion, its reason and the space freed."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    removed_names: set[str] = set()
    if registry.exists:
        with open_instance(settings) as instance:
            removed_names = removed_tickers(instance)
    summary = clean_up(registry, RetentionRules(keep_latest_n, keep_best, dry_run), removed_names)
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
    print(f"{'would free' if summary['dry_run'] else 'freed'} {_size(summary['bytes_freed'])}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"
