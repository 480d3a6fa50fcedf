"""All model versions in MLflow and every decision about them, asked as `zenith_serving.registry.base` asks.

Nothing is kept between questions: who looks at versions wants to know how things are, and a remembered answer could
name a version as Production that no longer is. While the registry is away there is none (docs/decisions/0027).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from zenith_core.evaluation.summary_metrics import METRICS
from zenith_core.statistics.performance import finite
from zenith_serving.errors import ModelUnavailable
from zenith_serving.registry.base import DatabaseRegistry, RestRegistry, is_server

EXPERIMENT = "zenith"  # of all runs that the pipelines make
DECISION = "decision/"  # how the tags of a run begin that record decisions about its version
TAGS = (
    *("data_end", "data_version", "feature_spec", "code_version", "libraries", "trials", "leakage"),
    *("decision", "reason", "decided_at", "decided_by"),
)
_RUNS_AT_ONCE = 100  # in one question, whose length MLflow bounds


@dataclass(frozen=True)
class KnownVersion:
    """A model version as MLflow has it, with those tags that TAGS names, and of its run's metrics those of METRICS.

    A metric that is NaN or infinite is None.
    """

    name: str
    version: int
    created_ms: int
    aliases: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)


class Catalogue(Protocol):
    """What is asked about versions. Both raise RegistryUnavailable."""

    def versions(self, ticker: str | None = None) -> list[KnownVersion]:
        """Versions of the models whose name ends in -TICKER, or of all, in no order."""

    def decisions(self, name: str) -> list[dict[str, Any]]:
        """Every decision about a model as it was recorded, in no order; those about versions that are gone too."""


def open_catalogue(tracking_uri: str) -> Catalogue:
    """The catalogue of an MLflow server or database. Raises UserError for another kind of address."""
    return RestCatalogue(tracking_uri) if is_server(tracking_uri) else DatabaseCatalogue(tracking_uri)


class DatabaseCatalogue(DatabaseRegistry):
    """The catalogue in an MLflow database."""

    def versions(self, ticker: str | None = None) -> list[KnownVersion]:
        """Versions of the models of a ticker, or of all."""
        names = _names_like(ticker)
        aliases, tags, metrics = _Sets(), _Sets(), _Sets()
        for name, version, alias in self._rows(_ALIASES, names=names):
            aliases.add(name, version, alias, True)
        for name, version, key, value in self._rows(_VERSION_TAGS, names=names):
            tags.add(name, version, key, value)
        for name, version, key, value, is_nan in self._rows(_METRICS, names=names):
            metrics.add(name, version, key, None if is_nan else finite(value))
        return [
            KnownVersion(
                name,
                version,
                created,
                frozenset(aliases.of(name, version)),
                tags.of(name, version, TAGS),
                metrics.of(name, version, METRICS),
            )
            for name, version, created in self._rows(_VERSIONS, names=names)
        ]

    def decisions(self, name: str) -> list[dict[str, Any]]:
        """Every decision about a model."""
        rows = self._rows(_DECISIONS, name=name, experiment=EXPERIMENT, keys=f"{DECISION}%")
        return [json.loads(text) for (text,) in rows]


_VERSIONS = (
    "SELECT name, version, creation_time FROM model_versions"
    " WHERE name LIKE :names AND workspace = 'default' AND current_stage <> 'Deleted_Internal'"
)
_ALIASES = "SELECT name, version, alias FROM registered_model_aliases WHERE name LIKE :names AND workspace = 'default'"
_VERSION_TAGS = (
    "SELECT name, version, key, value FROM model_version_tags"
    " WHERE name LIKE :names AND workspace = 'default' AND key <> 'gates'"  # kilobytes that nobody is shown here
)
_METRICS = (
    "SELECT v.name, v.version, m.key, m.value, m.is_nan FROM model_versions v"
    " JOIN latest_metrics m ON m.run_uuid = v.run_id"
    " WHERE v.name LIKE :names AND v.workspace = 'default' AND m.key NOT LIKE '%/%'"
)
_DECISIONS = (
    "SELECT t.value FROM tags t JOIN runs r ON r.run_uuid = t.run_uuid"
    " JOIN experiments e ON e.experiment_id = r.experiment_id"
    " WHERE r.name = :name AND e.name = :experiment AND t.key LIKE :keys"
)


class RestCatalogue(RestRegistry):
    """The catalogue of an MLflow server."""

    def versions(self, ticker: str | None = None) -> list[KnownVersion]:
        """Versions of the models of a ticker, or of all."""
        asked = {"filter": f"name LIKE '{_names_like(ticker)}'", "max_results": "1000"}
        models = self._pages("mlflow/registered-models/search", "registered_models", **asked)
        aliases = _Sets()
        for model in models:
            for alias in model.get("aliases", []):
                aliases.add(model["name"], int(alias["version"]), alias["alias"], True)
        found = list(self._pages("mlflow/model-versions/search", "model_versions", **asked))
        metrics = self._metrics([version["run_id"] for version in found if version.get("run_id")])
        return [
            KnownVersion(
                version["name"],
                int(version["version"]),
                int(version["creation_timestamp"]),
                frozenset(aliases.of(version["name"], int(version["version"]))),
                _chosen(_pairs(version.get("tags", [])), TAGS),
                metrics.get(version.get("run_id", ""), {}),
            )
            for version in found
        ]

    def decisions(self, name: str) -> list[dict[str, Any]]:
        """Every decision about a model."""
        tags = [_pairs(run["data"].get("tags", [])) for run in self._runs(f"attributes.run_name = '{name}'")]
        return [json.loads(text) for of_run in tags for key, text in of_run.items() if key.startswith(DECISION)]

    def _metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, float | None]]:
        found = {}
        for start in range(0, len(run_ids), _RUNS_AT_ONCE):
            named = ", ".join(f"'{run_id}'" for run_id in run_ids[start : start + _RUNS_AT_ONCE])
            for run in self._runs(f"attributes.run_id IN ({named})"):
                pairs = _pairs(run["data"].get("metrics", []))
                known = {key: finite(float(value)) for key, value in pairs.items()}  # NaN and infinity come as text
                found[run["info"]["run_id"]] = _chosen(known, METRICS)
        return found

    def _runs(self, condition: str) -> Iterator[dict[str, Any]]:
        try:
            experiment = self._ask("mlflow/experiments/get-by-name", experiment_name=EXPERIMENT)["experiment"]
        except ModelUnavailable:  # nothing was ever trained
            return
        asked: dict[str, Any] = {
            "experiment_ids": [experiment["experiment_id"]],
            "filter": condition,
            "run_view_type": "ALL",
            "max_results": 1000,
        }
        while True:
            page = self._post("mlflow/runs/search", asked)
            yield from page.get("runs", [])
            if not page.get("next_page_token"):
                return
            asked["page_token"] = page["next_page_token"]


class _Sets:
    """Values by model version."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)

    def add(self, name: str, version: int, key: str, value: Any) -> None:
        self._values[name, version][key] = value

    def of(self, name: str, version: int, keys: Iterable[str] | None = None) -> dict[str, Any]:
        found = self._values.get((name, version), {})
        return found if keys is None else _chosen(found, keys)


def _names_like(ticker: str | None) -> str:
    """A pattern of SQL; a validated ticker has none of its special characters."""
    return "%" if ticker is None else f"%-{ticker}"


def _pairs(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {entry["key"]: entry.get("value", "") for entry in entries}


def _chosen(values: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: values[key] for key in keys if key in values}
