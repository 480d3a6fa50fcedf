"""What the registry says of versions and decisions, as it is answered over REST. Pure, but for the catalogue."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zenith_core.errors import InvalidTicker
from zenith_core.evaluation.summary_metrics import headline
from zenith_core.market.tickers import validate_ticker
from zenith_core.names import CANDIDATE, KINDS, PRODUCTION, Kind, model_name
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.dataset_reader import nearby
from zenith_serving.registry.catalogue import Catalogue, KnownVersion
from zenith_serving.schemas.registry import Event, Gate, History, Models, ModelVersion, Status


def list_models(
    catalogue: Catalogue, ticker: str | None = None, model_type: Kind | None = None, status: Status | None = None
) -> Models:
    """The versions that fit all that is given. Raises RegistryAway."""
    found = [described for version in catalogue.versions(ticker) if (described := _described(version))]
    wanted = {"ticker": ticker, "model_type": model_type, "status": status}
    chosen = [one for one in found if all(value in (None, getattr(one, name)) for name, value in wanted.items())]
    return Models(models=sorted(chosen, key=lambda one: (one.ticker, KINDS.index(one.model_type), -int(one.version))))


def model_history(catalogue: Catalogue, ticker: str) -> History:
    """Every decision about a ticker's models, newest first. Raises UnknownTicker if it has none, RegistryAway."""
    events = [_event(kind, said) for kind in KINDS for said in catalogue.decisions(model_name(kind, ticker))]
    if not events and not list_models(catalogue, ticker).models:
        known = sorted({one.ticker for one in list_models(catalogue).models})
        raise UnknownTicker(nearby(ticker, known), "no models of this ticker")
    return History(ticker=ticker, events=sorted(events, key=lambda event: event.at, reverse=True))


def _described(version: KnownVersion) -> ModelVersion | None:
    """None for a model that is not of ours."""
    kind, ticker = _parts(version.name)
    if kind is None:
        return None
    tags, beats = version.tags, version.metrics.get("beats_naive")
    return ModelVersion(
        name=version.name,
        ticker=ticker,
        model_type=kind,
        version=str(version.version),
        status=_status(version.aliases),
        created_at=datetime.fromtimestamp(version.created_ms / 1000, UTC),
        beats_naive=None if beats is None else bool(beats),
        metrics=headline(kind, version.metrics),
        decision=_action(tags["decision"]) if "decision" in tags else None,
        **{key: tags.get(key) or None for key in _AS_THEY_ARE},
    )


_AS_THEY_ARE = (
    *("data_end", "data_version", "feature_spec", "code_version", "libraries", "trials", "leakage"),
    *("reason", "decided_at", "decided_by"),
)


def _event(kind: Kind, said: Mapping[str, Any]) -> Event:
    gates = [
        Gate(name=gate["gate"], passed=gate["passed"], detail=gate["says"], figures=gate.get("figures", {}))
        for gate in said["gates"]
    ]
    previous = None if said["previous"] is None else str(said["previous"])
    told = {key: said[key] for key in ("at", "by", "reason")}
    action = _action(said["outcome"])
    return Event(**told, model_type=kind, version=str(said["version"]), action=action, previous=previous, gates=gates)


def _status(aliases: frozenset[str]) -> Status:
    if PRODUCTION in aliases:
        return "production"
    return "candidate" if CANDIDATE in aliases else "archived"


def _action(outcome: str) -> Any:
    return outcome.replace(" ", "_")


def _parts(name: str) -> tuple[Kind | None, str]:
    prefix, _, ticker = name.partition("-")
    kind = next((kind for kind in KINDS if kind == prefix), None)
    try:
        return (kind if validate_ticker(ticker) == ticker else None), ticker
    except InvalidTicker:
        return None, ""
