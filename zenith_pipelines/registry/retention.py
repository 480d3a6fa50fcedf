"""Clean-up of the registry: which versions stay and why, and what goes: old versions, removed tickers, leftovers.

A version is deleted under the same lock that promotions hold, and only if at that moment no alias points at it: MLflow
would delete the alias with it, silently, and with it what serving answers from.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenith_core.errors import UserError
from zenith_core.names import KINDS, PRODUCTION
from zenith_pipelines.registry.artifact_storage import ModelStorage, is_old
from zenith_pipelines.registry.decision_log import decision_history, rollback_target
from zenith_pipelines.registry.model_registry import ModelRegistry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

KEEP_LATEST = 5


@dataclass(frozen=True)
class Rules:
    """What is kept of each model besides what an alias points at. `dry_run` deletes nothing, and tells the same.

    Raises UserError for a negative number.
    """

    keep_latest_n: int = KEEP_LATEST
    keep_best: bool = True
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.keep_latest_n < 0:
            raise UserError(f"keep_latest_n {self.keep_latest_n}: expected 0 or more")


def clean_up(registry: ModelRegistry, rules: Rules, removed: Collection[str] = ()) -> dict[str, Any]:
    """Delete what the rules do not keep, and the leftovers of an hour ago and before. JSON-ready: what, why, bytes.

    removed:  tickers that people have removed: nothing of their models is kept
    """
    if not registry.is_there:
        return {"dry_run": rules.dry_run, "bytes_freed": 0, "models": {}, "leftovers": []}
    storage = ModelStorage(registry)
    models = {name: _clean_model(registry, storage, name, rules, removed) for name in _ours(registry)}
    leftovers = _sweep(storage, rules)
    freed = sum(one["bytes"] for model in models.values() for one in model["deleted"])
    return {
        "dry_run": rules.dry_run,
        "bytes_freed": freed + sum(one["bytes"] for one in leftovers),
        "models": models,
        "leftovers": leftovers,
    }


def cleanup_table(done: Mapping[str, Any]) -> str:
    """What `clean_up` did, as a markdown table."""
    rows = []
    for name, model in done["models"].items():
        kept = ", ".join(f"{version} ({', '.join(why)})" for version, why in model["kept"].items())
        deleted = ", ".join(f"{one['version']} ({one['why']})" for one in model["deleted"])
        rows.append(f"| {name} | {kept or '–'} | {deleted or '–'} |")
    left = [f"- {one['what']} {one['id']} of {one['of']}, {one['bytes']:,} bytes" for one in done["leftovers"]]
    return "\n".join(["| model | kept | deleted |", "|---|---|---|", *rows, "", *left])


def keepers(
    versions: Sequence[int], losses: Mapping[int, float], aliases: Mapping[str, int], back: int | None, rules: Rules
) -> dict[int, list[str]]:
    """Why each version that is kept is kept.

    losses:   out-of-sample loss by version, where known, relative to the naive one: each was scored on other rows
    aliases:  version by alias
    back:     the version that a rollback would go to
    """
    kept: dict[int, list[str]] = {}
    for version in sorted(versions, reverse=True)[: rules.keep_latest_n]:
        kept.setdefault(version, []).append("latest")
    known = {version: loss for version, loss in losses.items() if version in versions}
    if rules.keep_best and known:
        kept.setdefault(min(known, key=lambda version: (known[version], -version)), []).append("best")
    for alias, version in sorted(aliases.items()):
        kept.setdefault(version, []).append(alias)
    if back is not None:
        kept.setdefault(back, []).append("rollback")
    return {version: kept[version] for version in sorted(kept, reverse=True)}


def _ours(registry: ModelRegistry) -> list[str]:
    return [name for name in registry.names() if name.startswith(tuple(f"{kind}-" for kind in KINDS))]


def _clean_model(
    registry: ModelRegistry, storage: ModelStorage, name: str, rules: Rules, removed: Collection[str]
) -> dict[str, Any]:
    found = {int(version.version): version for version in storage.of(name)}
    gone = name.partition("-")[2] in removed
    kept = {} if gone else _kept(registry, name, found, rules)
    deleted, empty = [], [number for number, version in found.items() if _is_empty(storage, version)]
    for number in sorted(found, reverse=True):
        why = "ticker removed" if gone else "without artifacts" if number in empty else "old"
        if number in kept and (number not in empty or set(kept[number]) - {"latest", "best"}):
            continue
        freed = _delete(registry, storage, found[number], rules, even_if_aliased=gone)
        if freed is not None:
            deleted.append({"version": number, "why": why, "bytes": freed})
    if gone and found and not rules.dry_run:
        with registry.lock(name):
            registry.client.delete_registered_model(name)
    numbers = {one["version"] for one in deleted}
    return {
        "kept": {str(number): why for number, why in kept.items() if number not in numbers},
        "deleted": deleted,
        "broken": [number for number in empty if number not in numbers],
    }


def _kept(
    registry: ModelRegistry, name: str, found: "Mapping[int, ModelVersion]", rules: Rules
) -> dict[int, list[str]]:
    aliases = registry.aliases(name)
    current = aliases.get(PRODUCTION)
    back = rollback_target(decision_history(registry, name), current, found) if current is not None else None
    skills = {number: registry.metrics(name, number).get("skill") for number in found}
    losses = {number: 1 - skill for number, skill in skills.items() if skill is not None}
    return keepers(list(found), losses, aliases, back, rules)


def _delete(
    registry: ModelRegistry, storage: ModelStorage, version: "ModelVersion", rules: Rules, *, even_if_aliased: bool
) -> int | None:
    """Bytes freed by deleting a version; None if an alias points at it by now."""
    with registry.lock(version.name):
        if int(version.version) in registry.aliases(version.name).values() and not even_if_aliased:
            return None
        return storage.size_of_version(version) if rules.dry_run else storage.remove_version(version)


def _is_empty(storage: ModelStorage, version: "ModelVersion") -> bool:
    """Whether its artifacts are gone."""
    return is_old(version.creation_timestamp) and not storage.has_model_file(version)


def _sweep(storage: ModelStorage, rules: Rules) -> list[dict[str, Any]]:
    """What registrations that failed, or were killed, and clean-ups that were killed have left."""
    swept = []
    for model in storage.abandoned_models():
        freed = storage.size(model.artifact_location) if rules.dry_run else storage.remove_model(model)
        swept.append({"what": "model without version", "id": model.model_id, "of": model.name, "bytes": freed})
    for run in storage.abandoned_runs():
        freed = storage.size(run.info.artifact_uri)
        if not rules.dry_run:
            storage.remove_run_artifacts(run.info.run_id)
        if freed:
            what = {"what": "artifacts of a run without version", "id": run.info.run_id, "of": run.info.run_name}
            swept.append({**what, "bytes": freed})
    return swept
