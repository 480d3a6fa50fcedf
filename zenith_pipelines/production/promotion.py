"""Move the Production alias: promote a better candidate, promote by hand, roll back.

Each move is decided, recorded and applied under the model's lock. On one machine, the champion that the candidate was
compared with is therefore the one that it replaces. Machines share no lock. So the record is written before the alias
moves, and the history is read again afterwards. Of two concurrent moves the later sees both records and settles on
the version that both would choose (`zenith_pipelines.registry.decision_log.resolve_concurrent_moves`).
"""

from collections.abc import Callable
from typing import Any

from zenith_core.errors import NotAvailable, UserError, ZenithError
from zenith_core.model_kinds.table import Kind, known_task
from zenith_core.names import model_name
from zenith_pipelines.production.champion_challenger import CurrentData, evaluate_gates, why_unservable
from zenith_pipelines.production.promotion_gates import Decision
from zenith_pipelines.registry.decision_log import (
    DecisionRecord,
    Outcome,
    current_user,
    decision_history,
    next_moment,
    record_decision,
    resolve_concurrent_moves,
    rollback_target,
)
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

LONGEST_REASON = 500  # characters; an MLflow tag holds 8,000, and the gates' figures share it


Judge = Callable[[Version, Version | None], Decision]
"""Decides on a candidate beside the champion, None for a first model."""


class Refused(ZenithError):
    """The gates, or the version's own forecast, speak against the move; nothing was moved."""


def promote_if_better(
    registry: ModelRegistry, kind: Kind, version: int, current: CurrentData, *, by: str | None = None
) -> dict[str, Any]:
    """Promote a version if it passes its gates; record the decision either way. JSON-ready.

    For the version in Production nothing is decided or recorded. A copy of it, trained again on the same data, is
    recorded as unchanged. A version that was rolled back stays out, as do its copies: only `promote` puts it back.
    What stays out for the same reason as before is recorded once.

    by:  the schedule or person that requested the run; default: user@host
    """

    def judge(candidate: Version, champion: Version | None) -> Decision:
        return evaluate_gates(registry, known_task(kind), candidate, champion, current)

    return promote_by_gates(registry, model_name(kind, current.snapshot.ticker), version, judge, by=by)


def promote_by_gates(
    registry: ModelRegistry, name: str, version: int, judge: Judge, *, by: str | None = None
) -> dict[str, Any]:
    """Promote a version of any model if `judge` (candidate, champion) decides so, as `promote_if_better`."""
    with registry.lock(name):
        history, champion = decision_history(registry, name), registry.production(name)
        candidate = registry.version(name, version)
        copies = _copies(registry, candidate)
        if champion and champion.version in copies:
            same = f"identical to version {champion.version}, which is in Production"
            record = _record(history, candidate, "unchanged", champion, same, by=by)
            return _result(name, record, None, _apply(registry, name, record, history, champion, once=True))
        decision = judge(candidate, champion)
        rollback = _rollback_from(history, {version, *copies})
        outcome: Outcome = "promoted" if decision.promote and rollback is None else "refused"
        reason = f"rolled back by {rollback.by}, {rollback.at}: {rollback.reason}" if rollback else decision.reason
        record = _record(history, candidate, outcome, champion, reason, decision, by=by)
        if champion and champion.version == version:  # this run trained only the other model
            return _result(name, record, decision, version)
        return _result(name, record, decision, _apply(registry, name, record, history, champion, once=True))


def promote(
    registry: ModelRegistry, kind: Kind, version: int, current: CurrentData, *, force: bool, reason: str | None
) -> dict[str, Any]:
    """Promote a version at a person's request, or record the refusal. `force` overrules the gates. JSON-ready.

    Even with `force` the version must load and forecast. Raises NotAvailable if there is no such version; UserError if
    it is in Production already, or for `force` without a reason.
    """
    if force and not (reason or "").strip():
        raise UserError("--force needs --reason TEXT: the history must say why the gates were overruled")
    note, name = _checked(reason), model_name(kind, current.snapshot.ticker)
    with registry.lock(name):
        history, champion = decision_history(registry, name), registry.production(name)
        candidate = registry.version(name, version)
        if champion and champion.version == version:
            raise UserError(f"{name} version {version} is in Production already")
        decision = evaluate_gates(registry, known_task(kind), candidate, champion, current)
        servable = next(gate for gate in decision.gates if gate.name == "answers").passed
        outcome: Outcome = "promoted" if decision.promote else "forced" if force and servable else "refused"
        reason = "; ".join(filter(None, [note, decision.reason]))
        record = _record(history, candidate, outcome, champion, reason, decision)
        return _result(name, record, decision, _apply(registry, name, record, history, champion))


def roll_back(registry: ModelRegistry, kind: Kind, current: CurrentData, *, reason: str | None) -> dict[str, Any]:
    """Restore the version found by `decision_log.rollback_target`. JSON-ready.

    Raises NotAvailable if nothing is in Production or there is no earlier version; Refused if that cannot forecast.
    """

    def problem_of(version: Version) -> str | None:
        return why_unservable(registry, known_task(kind), version, current)

    return restore_previous(registry, model_name(kind, current.snapshot.ticker), problem_of, reason=reason)


def restore_previous(
    registry: ModelRegistry, name: str, problem_of: Callable[[Version], str | None], *, reason: str | None
) -> dict[str, Any]:
    """Restore the version before of any model, as `roll_back`; `problem_of` says why a version cannot answer."""
    note = _checked(reason)
    with registry.lock(name):
        champion, history = registry.require_production(name), decision_history(registry, name)
        target = rollback_target(history, champion.version, {version.version for version in registry.versions(name)})
        if target is None:
            raise NotAvailable(
                f"nothing to roll back to: {name} version {champion.version} replaced no version that still exists"
            )
        version = registry.version(name, target)
        if problem := problem_of(version):
            raise Refused(f"{name} was not rolled back: version {target} {problem}")
        reason = note or f"rolled back from version {champion.version}"
        record = _record(history, version, "rolled back", champion, reason)
        return _result(name, record, None, _apply(registry, name, record, history, champion))


def _apply(
    registry: ModelRegistry,
    name: str,
    record: DecisionRecord,
    history: list[DecisionRecord],
    champion: Version | None,
    *,
    once: bool = False,
) -> int | None:
    """Record the decision, move the alias if it says so, settle concurrent moves. Return the version in Production.

    history, champion: the history and the Production version that the decision was based on
    once: do not record again that a version stays out for the same reason as before
    """
    if not record.moved and once and _is_repeated(record, history):
        return record.previous
    record_decision(registry, name, record)
    if not record.moved:
        return record.previous
    concurrent = _moved_since(registry, name, history, champion)
    registry.promote(name, record.version)
    earlier = {(decision.at, decision.version) for decision in (*history, record)}
    history = decision_history(registry, name)
    concurrent += [decision for decision in history if (decision.at, decision.version) not in earlier]
    target = resolve_concurrent_moves(record, concurrent)
    production = registry.production(name)
    if production is None or production.version != target:
        reason = f"settled after a concurrent move, to version {record.version}"
        record_decision(
            registry, name, _record(history, registry.version(name, target), "promoted", production, reason)
        )
        registry.promote(name, target)
    return target


def _moved_since(
    registry: ModelRegistry, name: str, history: list[DecisionRecord], champion: Version | None
) -> list[DecisionRecord]:
    """Return the record of the version now in Production if it has replaced the champion of the decision."""
    production = registry.production(name)
    if production is None or (champion and production.version == champion.version):
        return []
    return [decision for decision in history if decision.moved and decision.version == production.version][-1:]


def _copies(registry: ModelRegistry, candidate: Version) -> set[int]:
    """Return the other versions with the same model file. It names the data, code and configuration of its training."""
    checksum = candidate.tags.get("sha256")
    versions = registry.versions(candidate.name) if checksum else []
    return {version.version for version in versions if version.tags.get("sha256") == checksum} - {candidate.version}


def _record(
    history: list[DecisionRecord],
    version: Version,
    outcome: Outcome,
    champion: Version | None,
    reason: str,
    decision: Decision | None = None,
    by: str | None = None,
) -> DecisionRecord:
    return DecisionRecord(
        version=version.version,
        outcome=outcome,
        previous=champion.version if champion else None,
        data_end=version.data_end,
        reason=reason,
        by=by or current_user(),
        gates=[gate.to_json() for gate in decision.gates] if decision else [],
        at=next_moment(history),
    )


def _rollback_from(history: list[DecisionRecord], versions: set[int]) -> DecisionRecord | None:
    """Return the rollback from one of these identical versions, unless one of them was promoted again later."""
    rollbacks = [one for one in history if one.outcome == "rolled back" and one.previous in versions]
    moves = [decision for decision in history if decision.moved and decision.version in versions]
    return rollbacks[-1] if rollbacks and (not moves or moves[-1].at < rollbacks[-1].at) else None


def _is_repeated(record: DecisionRecord, history: list[DecisionRecord]) -> bool:
    """Return True if the last decision about the version was the same: a run that trains another kind asks again."""
    decisions = [one for one in history if one.version == record.version]
    last = decisions[-1] if decisions else None
    return last is not None and (last.outcome, last.previous, last.reason) == (
        record.outcome,
        record.previous,
        record.reason,
    )


def _checked(reason: str | None) -> str | None:
    if reason is not None and len(reason) > LONGEST_REASON:
        raise UserError(f"--reason: {len(reason)} characters are too many, at most {LONGEST_REASON}")
    return reason and " ".join(reason.split())


def _result(
    name: str, record: DecisionRecord, decision: Decision | None, production_version: int | None
) -> dict[str, Any]:
    return {
        "model": name,
        "version": record.version,
        "outcome": record.outcome,
        "promoted": record.moved,
        "production": production_version,
        "previous": record.previous,
        "reason": record.reason,
        "standing": decision.standing if decision else None,
        "by": record.by,
        "at": record.at,
        "gates": list(record.gates),
    }
