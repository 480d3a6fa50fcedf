"""The promotion history of a model, kept as MLflow tags.

A decision is a tag `decision/<moment>` of the MLflow run that trained the version. Runs outlive their versions, as
trials do (docs/decisions/0010), so clean-up keeps the whole history, on SQLite, PostgreSQL and an MLflow server alike.
"""

import json
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from getpass import getuser
from typing import Any, Literal

from zenith_core.names import ROLLED_BACK_TO
from zenith_pipelines.registry.model_registry import ModelRegistry

PREFIX = "decision/"  # of the tags
_NOT_PASSED = "not passed: "

Outcome = Literal["promoted", "forced", "refused", "unchanged", "rolled back"]
"""`promoted` or `refused` by the gates, `forced` against them; `unchanged`: a copy of the version in Production;
`rolled back` to this version."""


@dataclass(frozen=True)
class DecisionRecord:
    """A decision about a version.

    previous:  the version in Production before it
    by:        a schedule, a sensor, a key of the REST API, or user@host
    gates:     each gate's name, verdict and figures, JSON-ready
    """

    version: int
    outcome: Outcome
    previous: int | None
    data_end: str
    reason: str
    by: str
    gates: Sequence[dict[str, Any]] = ()
    at: str = field(default_factory=lambda: _moment(datetime.now(UTC)))

    @property
    def moved(self) -> bool:
        """True if the version was put into Production."""
        return self.outcome not in ("refused", "unchanged")

    @property
    def by_hand(self) -> bool:
        """True if a person overruled the gates."""
        return self.outcome in ("forced", "rolled back")


def next_moment(history: Sequence[DecisionRecord], now: datetime | None = None) -> str:
    """Return the moment of a decision that follows `history`: now, or just after the last if the clock was set back.

    The moments order the history, and rollbacks depend on the order.
    """
    moments = [datetime.fromisoformat(decision.at) + timedelta(microseconds=1) for decision in history]
    return _moment(max([now or datetime.now(UTC), *moments]))


def _moment(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def current_user() -> str:
    """Return user@host of this process."""
    try:
        user = getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def record_decision(registry: ModelRegistry, name: str, decision: DecisionRecord) -> None:
    """Add a decision to the history and to the tags of its version; a rollback also to those of the replaced one."""
    document = json.dumps(asdict(decision), allow_nan=False)
    registry.log_metrics(name, decision.version, {}, tags={f"{PREFIX}{decision.at}": document})
    tags = {"decided_at": decision.at, "decided_by": decision.by, "reason": decision.reason}
    gates = _verdict_on(decision.gates)
    if decision.outcome != "rolled back":
        registry.tag(name, decision.version, {**tags, "decision": decision.outcome, "gates": gates})
        registry.describe(name, decision.version, description_of(decision, decision.outcome))
        return
    registry.tag(name, decision.version, {**tags, "decision": "restored", "gates": gates})
    registry.describe(name, decision.version, description_of(decision, "restored"))
    if decision.previous is not None and decision.previous != decision.version:
        withdrawal = {"decision": "rolled back", ROLLED_BACK_TO: str(decision.version)}
        registry.tag(name, decision.previous, {**tags, **withdrawal})
        registry.describe(name, decision.previous, description_of(decision, "rolled back"))


def _verdict_on(gates: Sequence[Mapping[str, Any]]) -> str:
    """Return the tag `gates` of a version: the names of those that it did not pass, for people and alerts."""
    failures = [gate["gate"] for gate in gates if not gate["passed"]]
    return f"{_NOT_PASSED}{', '.join(failures)}" if failures else "passed" if gates else "none"


def failed_gates(tags: Mapping[str, str]) -> list[str]:
    """Return the names of the gates that a version did not pass at its last decision, from its tags."""
    verdict = tags.get("gates", "")
    if verdict.startswith("["):  # the record itself, in earlier releases
        return [gate["gate"] for gate in json.loads(verdict) if not gate["passed"]]
    return verdict.removeprefix(_NOT_PASSED).split(", ") if verdict.startswith(_NOT_PASSED) else []


def description_of(decision: DecisionRecord, outcome: str) -> str:
    """Return the last decision about a version as markdown, with a row for each gate, for MLflow's page of it."""
    head = f"**{outcome}** {decision.at[:16].replace('T', ' ')} UTC by {decision.by}: {decision.reason}"
    if not decision.gates:
        return head
    rows = [
        f"| {gate['gate']} | {'passed' if gate['passed'] else '**not passed**'} | {_cell(gate.get('says', ''))} |"
        for gate in decision.gates
    ]
    return "\n".join([head, "", "| gate | verdict | evidence |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def decision_history(registry: ModelRegistry, name: str) -> list[DecisionRecord]:
    """Return all decisions about a model's versions, oldest first."""
    runs = registry.tags_of_runs(name)
    documents = [json.loads(text) for tags in runs for key, text in tags.items() if key.startswith(PREFIX)]
    return sorted((DecisionRecord(**document) for document in documents), key=lambda decision: decision.at)


def rollback_target(decisions: Sequence[DecisionRecord], current: int, existing: Collection[int]) -> int | None:
    """Return the version that a rollback from `current` restores, or None if there is none among `existing`.

    Promotions form a stack, and a rollback removes everything above its target. So a second rollback goes further back,
    and never to a version that was rolled back, unless it was promoted again. The next record tells which version was
    in Production before it. This reveals a promotion that was recorded but not applied because its process was killed,
    and an alias that was moved by hand in MLflow.
    """
    stack: list[int] = []
    for decision in (decision for decision in decisions if decision.moved):
        if decision.previous is not None:
            stack = _cut_above(stack, decision.previous)
        if decision.outcome == "rolled back":
            stack = _cut_above(stack, decision.version)
        elif decision.version not in stack[-1:]:
            stack = [*stack, decision.version]
    below = _cut_above(stack, current)[:-1] if current in stack else stack
    return next((version for version in reversed(below) if version in existing and version != current), None)


def _cut_above(stack: Sequence[int], version: int) -> list[int]:
    """Return the stack with `version` on top: everything above it is removed, or it is added if missing."""
    for size in range(len(stack), 0, -1):
        if stack[size - 1] == version:
            return list(stack[:size])
    return [*stack, version]


def resolve_concurrent_moves(mine: DecisionRecord, others: Sequence[DecisionRecord]) -> int:
    """Return the version for Production if other machines recorded `others` while `mine` was applied.

    The last move by hand wins; without one, the newest data end, then the newest version.
    """
    moves = sorted((decision for decision in (mine, *others) if decision.moved), key=lambda decision: decision.at)
    by_hand = [decision.version for decision in moves if decision.by_hand]
    if by_hand:
        return by_hand[-1]
    return max(moves, key=lambda decision: (decision.data_end, decision.version)).version
