"""`zenith cleanup`: the job of the same name, now and here."""

import json
from typing import Any

from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import removed_tickers


def clean(keep_latest_n: int, *, keep_best: bool, dry_run: bool, as_json: bool) -> None:
    """Clean up the registry, and print what went, why, and how much room it took."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    removed: set[str] = set()
    if registry.exists:
        with open_instance(settings) as instance:
            removed = removed_tickers(instance)
    done = clean_up(registry, RetentionRules(keep_latest_n, keep_best, dry_run), removed)
    if as_json:
        print(json.dumps(done, indent=2, allow_nan=False))
    else:
        _show(done)


def _show(done: dict[str, Any]) -> None:
    verb = "would delete" if done["dry_run"] else "deleted"
    for name, model in done["models"].items():
        for one in model["deleted"]:
            print(f"{verb} {name} version {one['version']} ({one['why']}), {_size(one['bytes'])}")
        for version in model["broken"]:
            why = ", ".join(model["kept"][str(version)])
            print(f"{name} version {version} has lost its artifacts, and is kept: {why}")
    for one in done["leftovers"]:
        print(f"{verb} {one['what']} {one['id']} of {one['of']}, {_size(one['bytes'])}")
    print(f"{'would free' if done['dry_run'] else 'freed'} {_size(done['bytes_freed'])}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"
