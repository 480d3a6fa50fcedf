"""Delete old versions, models of removed tickers, and leftovers from the registry.

A version is deleted under the lock that promotions hold, and only if no alias points at it at that moment: MLflow would
silently delete the alias too, and serving would have no model.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenith_core.errors import UserError
from zenith_core.model_kinds.table import task_of
from zenith_core.names import KEEP_LATEST, PRODUCTION, SCALE
from zenith_pipelines.registry.artifact_storage import ModelStorage, is_old
from zenith_pipelines.registry.decision_log import decision_history, rollback_target
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.old_runs import condense_runs

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class RetentionRules:
    """Versions to keep of each model, besides those with an alias. `dry_run` reports the same but deletes nothing.

    Raises UserError for a negative number.
    """

    keep_latest_n: int = KEEP_LATEST
    keep_best: bool = True
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.keep_latest_n < 0:
            raise UserError(f"keep_latest_n {self.keep_latest_n}: expected 0 or more")


def clean_up(registry: ModelRegistry, rules: RetentionRules, removed_tickers: Collection[str] = ()) -> dict[str, Any]:
    """Delete versions that the rules do not keep, and leftovers older than an hour. Return a JSON-ready report.

    removed_tickers:  their models are deleted completely
    """
    if not registry.exists:
        return {"dry_run": rules.dry_run, "bytes_freed": 0, "models": {}, "leftovers": []}
    storage = ModelStorage(registry)
    models = {name: _clean_model(registry, storage, name, rules, removed_tickers) for name in _model_names(registry)}
    leftovers = _remove_leftovers(storage, rules)
    if not rules.dry_run:
        condense_runs(registry)
    version_bytes = sum(one["bytes"] for model in models.values() for one in model["deleted"])
    return {
        "dry_run": rules.dry_run,
        "bytes_freed": version_bytes + sum(one["bytes"] for one in leftovers),
        "models": models,
        "leftovers": leftovers,
    }


def cleanup_table(report: Mapping[str, Any]) -> str:
    """Return the report of `clean_up` as a markdown table."""
    rows = []
    for name, model in report["models"].items():
        kept_text = ", ".join(f"{version} ({', '.join(why)})" for version, why in model["kept"].items())
        deleted_text = ", ".join(f"{one['version']} ({one['why']})" for one in model["deleted"])
        rows.append(f"| {name} | {kept_text or '–'} | {deleted_text or '–'} |")
    leftovers = [f"- {one['what']} {one['id']} of {one['of']}, {one['bytes']:,} bytes" for one in report["leftovers"]]
    return "\n".join(["| model | kept | deleted |", "|---|---|---|", *rows, "", *leftovers])


def versions_to_keep(
    versions: Sequence[int],
    losses: Mapping[int, float],
    aliases: Mapping[str, int],
    rollback: int | None,
    rules: RetentionRules,
) -> dict[int, list[str]]:
    """Return the reasons to keep a version, by version; versions without a reason are not in it.

    losses:    known out-of-sample losses by version, relative to the naive loss because their rows differ
    aliases:   version by alias
    rollback:  the version that a rollback would restore
    """
    reasons: dict[int, list[str]] = {}
    for version in sorted(versions, reverse=True)[: rules.keep_latest_n]:
        reasons.setdefault(version, []).append("latest")
    candidates = [version for version in versions if version in losses]
    if rules.keep_best and candidates:
        reasons.setdefault(min(candidates, key=lambda version: (losses[version], -version)), []).append("best")
    for alias, version in sorted(aliases.items()):
        reasons.setdefault(version, []).append(alias)
    if rollback is not None:
        reasons.setdefault(rollback, []).append("rollback")
    return {version: reasons[version] for version in sorted(reasons, reverse=True)}


def _model_names(registry: ModelRegistry) -> list[str]:
    """Return the names of models of any kind in the table or in use, also switched off, and of the scale."""
    return [name for name in registry.names() if name == SCALE or task_of(name.partition("-")[0])]


def _clean_model(
    registry: ModelRegistry, storage: ModelStorage, name: str, rules: RetentionRules, removed_tickers: Collection[str]
) -> dict[str, Any]:
    versions = {int(version.version): version for version in storage.versions_of(name)}
    is_removed = name.partition("-")[2] in removed_tickers
    reasons = {} if is_removed else _reasons_to_keep(registry, name, versions, rules)
    deletions, empty = [], [number for number, version in versions.items() if _is_empty(storage, version)]
    for number in sorted(versions, reverse=True):
        why = "ticker removed" if is_removed else "without artifacts" if number in empty else "old"
        if number in reasons and (number not in empty or set(reasons[number]) - {"latest", "best"}):
            continue
        size = _delete(registry, storage, versions[number], rules, even_if_aliased=is_removed)
        if size is not None:
            deletions.append({"version": number, "why": why, "bytes": size})
    if is_removed and versions and not rules.dry_run:
        with registry.lock(name):
            registry.client.delete_registered_model(name)
    numbers = {one["version"] for one in deletions}
    return {
        "kept": {str(number): why for number, why in reasons.items() if number not in numbers},
        "deleted": deletions,
        "broken": [number for number in empty if number not in numbers],
    }


def _reasons_to_keep(
    registry: ModelRegistry, name: str, versions: "Mapping[int, ModelVersion]", rules: RetentionRules
) -> dict[int, list[str]]:
    aliases = registry.aliases(name)
    current = aliases.get(PRODUCTION)
    rollback = rollback_target(decision_history(registry, name), current, versions) if current is not None else None
    skills = {number: registry.metrics(name, number).get("skill") for number in versions}
    losses = {number: 1 - skill for number, skill in skills.items() if skill is not None}
    return versions_to_keep(list(versions), losses, aliases, rollback, rules)


def _delete(
    registry: ModelRegistry,
    storage: ModelStorage,
    version: "ModelVersion",
    rules: RetentionRules,
    *,
    even_if_aliased: bool,
) -> int | None:
    """Delete a version; return the bytes freed, or None if an alias points at it now."""
    with registry.lock(version.name):
        if int(version.version) in registry.aliases(version.name).values() and not even_if_aliased:
            return None
        return storage.size_of_version(version) if rules.dry_run else storage.remove_version(version)


def _is_empty(storage: ModelStorage, version: "ModelVersion") -> bool:
    """True if its artifacts are gone."""
    return is_old(version.creation_timestamp) and not storage.has_model_file(version)


def _remove_leftovers(storage: ModelStorage, rules: RetentionRules) -> list[dict[str, Any]]:
    """Delete the leftovers of failed or killed registrations and of killed clean-ups."""
    leftovers = []
    for model in storage.abandoned_models():
        size = storage.size(model.artifact_location) if rules.dry_run else storage.remove_model(model)
        leftovers.append({"what": "model without version", "id": model.model_id, "of": model.name, "bytes": size})
    for run in storage.abandoned_runs():
        size = storage.size(run.info.artifact_uri)
        if not rules.dry_run:
            storage.remove_run_artifacts(run.info.run_id)
        if size:
            leftovers.append(
                {
                    "what": "artifacts of a run without version",
                    "id": run.info.run_id,
                    "of": run.info.run_name,
                    "bytes": size,
                }
            )
    return leftovers
