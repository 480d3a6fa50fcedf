"""Alerts of promotions, refusals and rollbacks, from the tags of the versions that were decided on.

So a decision is told wherever it was made: in a run, on the command line, on another machine.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from zenith_core.words import Text
from zenith_pipelines.alert_receivers import Kind
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.registry.decision_log import failed_gates
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

_KINDS: dict[str, Kind] = {
    "promoted": "promoted", "forced": "promoted", "refused": "refused", "restored": "rolled_back"
}  # fmt: skip
"""The kind of alert by a version's tag `decision`; a copy (`unchanged`) and the version rolled back have none."""

_OVERLAP = timedelta(minutes=10)  # a decision may be written after a later one of another model


@dataclass(frozen=True)
class DecisionCursor:
    """The decisions that were told: all before `newest` less _OVERLAP, and those of `ids` after it."""

    newest: str
    ids: list[str] = field(default_factory=list)

    @classmethod
    def from_json(cls, text: str | None, now: datetime) -> Self:
        """Return the cursor of a sensor; the first one begins now, so no history is told."""
        return cls(**json.loads(text)) if text else cls(_iso(now))

    def to_json(self) -> str:
        """Return the cursor as text."""
        return json.dumps(asdict(self))

    def next(self, registry: ModelRegistry) -> tuple[list[Version], "DecisionCursor"]:
        """Return the versions that were decided on since, oldest decision first, and the cursor after them."""
        start = _iso(datetime.fromisoformat(self.newest) - _OVERLAP)
        recent = decided_since(registry, start)
        first = self.newest if not self.ids else start  # nothing before the first evaluation
        fresh = [version for version in recent if _id(version) not in self.ids and version.tags["decided_at"] > first]
        newest = max([self.newest, *(version.tags["decided_at"] for version in recent)])
        keep = _iso(datetime.fromisoformat(newest) - _OVERLAP)
        ids = {*self.ids, *(_id(version) for version in fresh)}
        return fresh, DecisionCursor(newest, sorted(one for one in ids if one.partition(" ")[0] > keep) or [newest])


def decided_since(registry: ModelRegistry, moment: str) -> list[Version]:
    """Return the versions whose last decision was after a moment, in the order of the decisions."""
    if not registry.exists:
        return []
    versions = registry.decided_since(moment)
    return sorted(versions, key=lambda version: version.tags["decided_at"])


def decision_alerts(versions: Iterable[Version]) -> list[Alert]:
    """Return the alerts of decided versions; some decisions have none."""
    return [
        _alert(_KINDS[version.tags["decision"]], version) for version in versions if version.tags["decision"] in _KINDS
    ]


def _alert(kind: Kind, version: Version) -> Alert:
    model, _, ticker = version.name.partition("-")
    failures = tuple(Text(f"gate.name.{gate.replace(' ', '_')}") for gate in failed_gates(version.tags))
    values = {
        "subject": Text("alert.model", {"ticker": ticker, "model": Text(f"model.{model}")}) if ticker else version.name,
        "version": str(version.version),
        "by": version.tags.get("decided_by"),
        "reason": version.tags.get("reason"),
        "gates": failures,
    }
    form = "refused.gates" if kind == "refused" and failures else kind
    facts = {"model": version.name, "version": str(version.version), **({"ticker": ticker} if ticker else {})}
    return Alert(kind, Text(f"alert.{form}", values), facts)


def _id(version: Version) -> str:
    return f"{version.tags['decided_at']} {version.name} {version.version}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
