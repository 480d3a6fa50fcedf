"""Model versions and decisions of the registry as response models."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from zenith_core.errors import InvalidTicker
from zenith_core.evaluation.summary_metrics import summarize_metrics
from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.table import KINDS, Kind, task_of
from zenith_core.names import CANDIDATE, PRODUCTION, last_decision, model_name
from zenith_serving.errors import UnknownTicker, nearby
from zenith_serving.registry.base import KnownVersion, ModelRegistry
from zenith_serving.schemas.registry import Event, Gate, History, Models, ModelVersion, Status

_UNCHANGED_TAGS = (
    *("data_end", "data_version", "feature_spec", "code_version", "libraries", "trials", "leakage"),
    *("reason", "decided_at", "decided_by"),
)

_VERSIONS_OF_MODEL = 4
"""The versions that a page expects of a model: clean-up keeps five. With fewer, it asks the registry more than once."""


def list_models(
    registry: ModelRegistry,
    ticker: str | None = None,
    model_type: Kind | None = None,
    status: Status | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> Models:
    """Return the versions that match all filters, by ticker and kind, newest first. Raises RegistryUnavailable.

    limit:  the most versions; `next` of the result is `after` of the following page
    after:  only what follows this version, as `name/version`
    """

    place = None if after is None else _place(after)

    def matching(versions: Iterable[KnownVersion]) -> Iterator[ModelVersion]:
        for version in sorted(versions, key=_order):
            kind, _, owner = version.name.partition("-")
            fits = _fits(owner, ticker) and _fits(kind, model_type) and _fits(_status(version.aliases), status)
            if fits and (place is None or _order(version) > place) and (response := _model_version(version)):
                yield response

    if limit is None:
        return Models(models=list(matching(registry.versions(ticker))))
    places = {name: _name_order(name) for name in registry.names(ticker) if "-" in name}
    names = [
        name
        for name, (owner, _, kind) in places.items()
        if _fits(owner, ticker) and _fits(kind, model_type) and (place is None or places[name] >= place[:-1])
    ]
    names.sort(key=places.__getitem__)
    page: list[ModelVersion] = []
    part_size = limit // _VERSIONS_OF_MODEL + 1
    while names and len(page) <= limit:  # one more tells whether another page follows
        part, names = names[:part_size], names[part_size:]
        ours = [name for name in part if _kind_and_ticker(name)[1]]
        versions = registry.versions(names=ours) if ours else []
        page += islice(matching(versions), limit + 1 - len(page))
    last = page[limit - 1] if len(page) > limit else None
    return Models(models=page[:limit], next=f"{last.name}/{last.version}" if last else None)


def _fits(value: str, condition: str | None) -> bool:
    return condition is None or value == condition


def model_history(registry: ModelRegistry, ticker: str) -> History:
    """Return every decision about a ticker's models, newest first.

    Raises UnknownTicker if the ticker has no models, RegistryUnavailable.
    """
    listed = list_models(registry, ticker).models
    kinds = dict.fromkeys([*KINDS, *(version.model_type for version in listed)])
    decisions = registry.decisions(ticker)
    events = [_event(kind, record) for kind in kinds for record in decisions.get(model_name(kind, ticker), ())]
    if not events and not listed:
        tickers = sorted({version.ticker for version in list_models(registry).models})
        raise UnknownTicker(nearby(ticker, tickers), "no models of this ticker")
    return History(ticker=ticker, events=sorted(events, key=lambda event: event.at, reverse=True))


def _model_version(version: KnownVersion) -> ModelVersion | None:
    """Return None for a model that is not Zenith's."""
    kind, ticker = _kind_and_ticker(version.name)
    task = task_of(kind, version.tags.get("task"))
    if task is None or not ticker:
        return None
    tags, beats_naive = version.tags, version.metrics.get("beats_naive")
    return ModelVersion(
        name=version.name,
        ticker=ticker,
        model_type=kind,
        version=str(version.version),
        status=_status(version.aliases),
        created_at=datetime.fromtimestamp(version.created_ms / 1000, UTC),
        beats_naive=None if beats_naive is None else bool(beats_naive),
        metrics=summarize_metrics(task, version.metrics),
        decision=_action(decision) if (decision := last_decision(tags)) else None,
        **{key: tags.get(key) or None for key in _UNCHANGED_TAGS},
    )


def _event(kind: Kind, record: Mapping[str, Any]) -> Event:
    gates = [
        Gate(name=gate["gate"], passed=gate["passed"], detail=gate["says"], figures=gate.get("figures", {}))
        for gate in record["gates"]
    ]
    return Event(
        at=record["at"],
        model_type=kind,
        version=str(record["version"]),
        action=_action(record["outcome"]),
        previous=None if record["previous"] is None else str(record["previous"]),
        by=record["by"],
        reason=record["reason"],
        gates=gates,
    )


def _status(aliases: frozenset[str]) -> Status:
    if PRODUCTION in aliases:
        return "production"
    return "candidate" if CANDIDATE in aliases else "archived"


def _action(outcome: str) -> Any:
    return outcome.replace(" ", "_")


def _kind_and_ticker(name: str) -> tuple[Kind, str]:
    """Return the parts of a model's name; the ticker is empty if it is none."""
    kind, _, ticker = name.partition("-")
    with suppress(InvalidTicker):
        return kind, ticker if validate_ticker(ticker) == ticker else ""
    return kind, ""


def _order(version: KnownVersion) -> tuple[str, int, str, int]:
    """Sort by ticker and kind, those in use first; the newest version first."""
    return *_name_order(version.name), -version.version


def _name_order(name: str) -> tuple[str, int, str]:
    kind, _, ticker = name.partition("-")
    return ticker, KINDS.index(kind) if kind in KINDS else len(KINDS), kind


def _place(after: str) -> tuple[str, int, str, int]:
    """Return the order of a version, which need not exist any more."""
    name, _, version = after.rpartition("/")
    return *_name_order(name), -int(version)
