"""Model versions and decisions as JSON-ready documents."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from zenith_core.errors import NotAvailable
from zenith_core.evaluation.summary_metrics import summarize_metrics
from zenith_core.model_kinds.table import KINDS, Kind, known_task
from zenith_core.names import last_decision, model_name
from zenith_core.statistics.performance import finite
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

_TAGS = ("data_end", "data_version", "feature_spec", "code_version", "libraries", "trials", "leakage")
_DECISION = ("reason", "decided_at", "decided_by")


def list_versions(registry: ModelRegistry, ticker: str | None = None) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return {ticker: {kind: versions, newest first}} of one ticker or of all with models. Raises NotAvailable."""
    tickers = [] if not registry.exists else _tickers(registry) if ticker is None else [ticker]
    listing = {name: _versions_of(registry, name) for name in tickers}
    if not any(listing.values()):
        if ticker:
            raise NotAvailable(f"no models of {ticker} yet: `zenith run --tickers {ticker}` makes them")
        raise NotAvailable("no models yet: `zenith run` makes them")
    return listing


def list_decisions(registry: ModelRegistry, ticker: str, kind: str) -> list[dict[str, Any]]:
    """Return the decisions about a model, oldest first."""
    return [asdict(decision) for decision in decision_history(registry, model_name(kind, ticker))]


def _tickers(registry: ModelRegistry) -> list[str]:
    prefixes = tuple(f"{kind}-" for kind in KINDS)
    return sorted({name.partition("-")[2] for name in registry.names() if name.startswith(prefixes)})


def _versions_of(registry: ModelRegistry, ticker: str) -> dict[str, list[dict[str, Any]]]:
    listing: dict[str, list[dict[str, Any]]] = {}
    for kind in KINDS:
        name = model_name(kind, ticker)
        if versions := registry.versions(name):
            aliases = registry.aliases(name)
            listing[kind] = [_document(registry, kind, version, aliases) for version in versions]
    return listing


def _document(registry: ModelRegistry, kind: Kind, version: Version, aliases: Mapping[str, int]) -> dict[str, Any]:
    metrics = {name: finite(value) for name, value in registry.metrics(version.name, version.version).items()}
    return {
        "version": version.version,
        "aliases": sorted(alias for alias, number in aliases.items() if number == version.version),
        **{tag: version.tags.get(tag) for tag in _TAGS},
        "decision": last_decision(version.tags),
        **{tag: version.tags.get(tag) for tag in _DECISION},
        "metrics": summarize_metrics(known_task(kind), metrics),
    }
