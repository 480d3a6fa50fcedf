"""The history of decisions about a model: which version became Production or did not, who decided it, and why.

A decision is a tag `decision/<moment>` of the MLflow run that made the version. Runs outlive their versions, as trials
do (docs/decisions/0010), so clean-up leaves the history whole, and it is the same on SQLite, PostgreSQL and a server.
"""

import json
import socket
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from getpass import getuser
from typing import Any, Literal

from zenith_pipelines.registry.model_registry import ModelRegistry

_PREFIX = "decision/"

Outcome = Literal["promoted", "forced", "refused", "rolled back"]
"""`promoted` by its gates, `forced` over them, `refused` by them; `rolled back` to this version."""


@dataclass(frozen=True)
class DecisionRecord:
    """A decision about a version.

    previous:  the version in Production before it
    by:        user@host
    gates:     each gate's name, verdict and figures, JSON-ready
    """

    version: int
    outcome: Outcome
    previous: int | None
    data_end: str
    reason: str
    by: str
    gates: Sequence[dict[str, Any]] = ()
    at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))

    @property
    def moved(self) -> bool:
        """Whether the version was put into Production."""
        return self.outcome != "refused"

    @property
    def by_hand(self) -> bool:
        """Whether a person overruled what the gates would have said."""
        return self.outcome in ("forced", "rolled back")


def current_user() -> str:
    """The user and the machine that decide, as user@host."""
    try:
        user = getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def record_decision(registry: ModelRegistry, name: str, decision: DecisionRecord) -> None:
    """Add a decision to the history, and make it what the version's own tags say."""
    document = json.dumps(asdict(decision), allow_nan=False)
    registry.log_metrics(name, decision.version, {}, tags={f"{_PREFIX}{decision.at}": document})
    said = {"decision": decision.outcome, "decided_at": decision.at, "decided_by": decision.by}
    gates = json.dumps(decision.gates, allow_nan=False)
    registry.tag(name, decision.version, {**said, "reason": decision.reason, "gates": gates})


def decision_history(registry: ModelRegistry, name: str) -> list[DecisionRecord]:
    """All decisions about versions of a model, oldest first."""
    runs = registry.tags_of_runs(name)
    found = [json.loads(text) for tags in runs for key, text in tags.items() if key.startswith(_PREFIX)]
    return sorted((DecisionRecord(**document) for document in found), key=lambda decision: decision.at)


def rollback_target(decisions: Sequence[DecisionRecord], current: int, existing: Collection[int]) -> int | None:
    """The version that a rollback from `current` goes to; None if there is none among `existing`.

    Promotions are a pile, and a rollback takes away what lies above its target. So a second rollback goes on backwards,
    to what was in Production before that, and never to a version that was rolled back from, unless somebody has
    promoted it anew. A promotion that was recorded and never carried out, its process having been killed, is known by
    the next record, which says what was in Production; so is an alias that was moved by hand, in MLflow.
    """
    pile: list[int] = []
    for decision in (decision for decision in decisions if decision.moved):
        if decision.previous is not None:
            pile = _down_to(pile, decision.previous)
        if decision.outcome == "rolled back":
            pile = _down_to(pile, decision.version)
        elif decision.version not in pile[-1:]:
            pile = [*pile, decision.version]
    below = _down_to(pile, current)[:-1] if current in pile else pile
    return next((version for version in reversed(below) if version in existing and version != current), None)


def _down_to(pile: Sequence[int], version: int) -> list[int]:
    """The pile with `version` on top: without what lies above it, or with it laid on top if it is not there."""
    for place in range(len(pile), 0, -1):
        if pile[place - 1] == version:
            return list(pile[:place])
    return [*pile, version]


def resolve_concurrent_moves(mine: DecisionRecord, others: Sequence[DecisionRecord]) -> int:
    """The version that should be in Production when `others` were recorded, elsewhere, while `mine` was carried out.

    What a person did by hand stands, the last of it; else the newest data end wins, then the newest version.
    """
    moves = sorted((decision for decision in (mine, *others) if decision.moved), key=lambda decision: decision.at)
    by_hand = [decision.version for decision in moves if decision.by_hand]
    if by_hand:
        return by_hand[-1]
    return max(moves, key=lambda decision: (decision.data_end, decision.version)).version
