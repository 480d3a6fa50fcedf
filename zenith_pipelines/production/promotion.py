"""How the Production alias moves: a candidate that has earned it, a person who promotes, a rollback.

Each is judged or asked, recorded, and carried out while the model's lock is held, so that on one machine the champion
that was judged against is the one that is replaced. Machines share no lock. So the record is written before the alias
moves, and whoever has moved it looks at the history again: of two that moved at once the later one sees both records,
and settles on the version that both would choose (`zenith_pipelines.registry.decision_log.resolve_concurrent_moves`).
"""

from typing import Any

from zenith_core.errors import NotAvailable, UserError, ZenithError
from zenith_core.names import Kind, model_name
from zenith_pipelines.production.champion_challenger import CurrentData, evaluate_gates, why_unservable
from zenith_pipelines.production.promotion_gates import Decision
from zenith_pipelines.registry.decision_log import (
    DecisionRecord,
    current_user,
    decision_history,
    record_decision,
    resolve_concurrent_moves,
    rollback_target,
)
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

LONGEST_REASON = 500  # characters; a tag of MLflow holds 8,000, and the gates' figures go into the same one


class Refused(ZenithError):
    """The gates, or the version's own answer, speak against the move; nothing was moved."""


def promote_if_better(registry: ModelRegistry, kind: Kind, version: int, present: CurrentData) -> dict[str, Any]:
    """Promote a version if it has earned it, and record the decision either way; JSON-ready. One that is in Production
    already stays, and there is no decision to record.

    A version that somebody rolled back from is not put back by a schedule: only `promote` does that.
    """
    name = model_name(kind, present.snapshot.ticker)
    with registry.lock(name):
        history, champion = decision_history(registry, name), registry.production(name)
        candidate = registry.version(name, version)
        decision = evaluate_gates(registry, kind, candidate, champion, present)
        rollback = _rollback_of(history, version)
        promote = decision.promote and rollback is None
        reason = f"rolled back by {rollback.by}, {rollback.at}: {rollback.reason}" if rollback else decision.reason
        record = _record(candidate, "promoted" if promote else "refused", champion, reason, decision)
        if champion and champion.version == version:  # the other model was trained: there is nothing to decide here
            return _result(name, record, decision, version)
        if promote:
            return _result(name, record, decision, _apply(registry, name, record, history, champion))
        record_decision(registry, name, record)
    return _result(name, record, decision, record.previous)


def promote(
    registry: ModelRegistry, kind: Kind, version: int, present: CurrentData, *, force: bool, reason: str | None
) -> dict[str, Any]:
    """Promote a version as a person asks, or record why not; JSON-ready. Its gates run, and `force` overrules them.

    Nothing overrules that the version must load and answer. Raises NotAvailable if there is no such version; UserError
    if it is in Production already, or for `force` without a reason.
    """
    if force and not (reason or "").strip():
        raise UserError("--force needs --reason TEXT: the history must say why the gates were overruled")
    said, name = _checked(reason), model_name(kind, present.snapshot.ticker)
    with registry.lock(name):
        history, champion = decision_history(registry, name), registry.production(name)
        candidate = registry.version(name, version)
        if champion and champion.version == version:
            raise UserError(f"{name} version {version} is in Production already")
        decision = evaluate_gates(registry, kind, candidate, champion, present)
        answers = next(gate for gate in decision.gates if gate.name == "answers")
        outcome = "promoted" if decision.promote else "forced" if force and answers.passed else "refused"
        why = "; ".join(filter(None, [said, decision.reason]))
        record = _record(candidate, outcome, champion, why, decision)
        if record.moved:
            return _result(name, record, decision, _apply(registry, name, record, history, champion))
        record_decision(registry, name, record)
    return _result(name, record, decision, record.previous)


def roll_back(registry: ModelRegistry, kind: Kind, present: CurrentData, *, reason: str | None) -> dict[str, Any]:
    """Put back the version before, as `decision_log.rollback_target` finds it; JSON-ready.

    Raises NotAvailable if nothing is in Production or nothing was before; Refused if that version does not answer.
    """
    said, name = _checked(reason), model_name(kind, present.snapshot.ticker)
    with registry.lock(name):
        current, history = registry.require_production(name), decision_history(registry, name)
        target = rollback_target(history, current.version, {version.version for version in registry.versions(name)})
        if target is None:
            raise NotAvailable(
                f"nothing to go back to: {name} version {current.version} replaced no version that is left"
            )
        version = registry.version(name, target)
        if problem := why_unservable(registry, kind, version, present):
            raise Refused(f"{name} was not rolled back: version {target} {problem}")
        record = _record(version, "rolled back", current, said or f"rolled back from version {current.version}")
        now = _apply(registry, name, record, history, current)
    return _result(name, record, None, now)


def _apply(
    registry: ModelRegistry, name: str, record: DecisionRecord, history: list[DecisionRecord], champion: Version | None
) -> int:
    """Record the decision, move the alias, settle with concurrent moves. Return the version in Production.

    history, champion: the history and the version in Production that the decision was based on.
    """
    record_decision(registry, name, record)
    meanwhile = _moved_since(registry, name, history, champion)
    registry.promote(name, record.version)
    seen = {(decision.at, decision.version) for decision in (*history, record)}
    others = [decision for decision in decision_history(registry, name) if (decision.at, decision.version) not in seen]
    target = resolve_concurrent_moves(record, [*others, *meanwhile])
    now = registry.production(name)
    if now is None or now.version != target:
        reason = f"settled after version {record.version} and others at once"
        record_decision(registry, name, _record(registry.version(name, target), "promoted", now, reason))
        registry.promote(name, target)
    return target


def _moved_since(
    registry: ModelRegistry, name: str, history: list[DecisionRecord], champion: Version | None
) -> list[DecisionRecord]:
    """The record of what is in Production by now, if that is not the champion that the decision was based on."""
    now = registry.production(name)
    if now is None or (champion and now.version == champion.version):
        return []
    return [decision for decision in history if decision.moved and decision.version == now.version][-1:]


def _record(
    version: Version, outcome: Any, before_it: Version | None, reason: str, decision: Decision | None = None
) -> DecisionRecord:
    return DecisionRecord(
        version=version.version,
        outcome=outcome,
        previous=before_it.version if before_it else None,
        data_end=version.data_end,
        reason=reason,
        by=current_user(),
        gates=[gate.to_json() for gate in decision.gates] if decision else [],
    )


def _rollback_of(history: list[DecisionRecord], version: int) -> DecisionRecord | None:
    """The rollback from a version, if that is the last that happened to it."""
    away = [decision for decision in history if decision.outcome == "rolled back" and decision.previous == version]
    put = [decision for decision in history if decision.moved and decision.version == version]
    return away[-1] if away and (not put or put[-1].at < away[-1].at) else None


def _checked(reason: str | None) -> str | None:
    if reason is not None and len(reason) > LONGEST_REASON:
        raise UserError(f"--reason: {len(reason)} characters are too many, at most {LONGEST_REASON}")
    return reason and " ".join(reason.split())


def _result(name: str, record: DecisionRecord, decision: Decision | None, now: int | None) -> dict[str, Any]:
    return {
        "model": name,
        "version": record.version,
        "outcome": record.outcome,
        "promoted": record.moved,
        "production": now,
        "previous": record.previous,
        "reason": record.reason,
        "standing": decision.standing if decision else None,
        "by": record.by,
        "at": record.at,
        "gates": list(record.gates),
    }
