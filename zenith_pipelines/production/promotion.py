"""How the Production alias moves: a candidate that has earned it, a person who promotes, a rollback.

Each is judged or asked, recorded, and carried out while the model's lock is held, so that on one machine the champion
that was judged against is the one that is replaced. Machines share no lock. So the record is written before the alias
moves, and whoever has moved it looks at the history again: of two that moved at once the later one sees both records,
and settles on the version that both would choose (`zenith_pipelines.registry.decision_log.settled`).
"""

from typing import Any

from zenith_core.errors import NotAvailable, UserError, ZenithError
from zenith_core.names import Kind, model_name
from zenith_pipelines.production.champion_challenger import Present, judge, problem_of
from zenith_pipelines.production.promotion_gates import Decision
from zenith_pipelines.registry.decision_log import Record, before, history, record, settled, who
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

LONGEST_REASON = 500  # characters; a tag of MLflow holds 8,000, and the gates' figures go into the same one


class Refused(ZenithError):
    """The gates, or the version's own answer, speak against the move; nothing was moved."""


def consider(registry: ModelRegistry, kind: Kind, version: int, present: Present) -> dict[str, Any]:
    """Promote a version if it has earned it, and record the decision either way; JSON-ready. One that is in Production
    already stays, and there is no decision to record.

    A version that somebody rolled back from is not put back by a schedule: only `promote` does that.
    """
    name = model_name(kind, present.snapshot.ticker)
    with registry.lock(name):
        known, champion = history(registry, name), registry.production(name)
        candidate = registry.version(name, version)
        decision = judge(registry, kind, candidate, champion, present)
        undone = _undone(known, version)
        promote = decision.promote and undone is None
        reason = f"rolled back by {undone.by}, {undone.at}: {undone.reason}" if undone else decision.reason
        made = _record(candidate, "promoted" if promote else "refused", champion, reason, decision)
        if champion and champion.version == version:  # the other model was trained: there is nothing to decide here
            return _told(name, made, decision, version)
        if promote:
            return _told(name, made, decision, _carry_out(registry, name, made, known, champion))
        record(registry, name, made)
    return _told(name, made, decision, made.previous)


def promote(
    registry: ModelRegistry, kind: Kind, version: int, present: Present, *, force: bool, reason: str | None
) -> dict[str, Any]:
    """Promote a version as a person asks, or record why not; JSON-ready. Its gates run, and `force` overrules them.

    Nothing overrules that the version must load and answer. Raises NotAvailable if there is no such version; UserError
    if it is in Production already, or for `force` without a reason.
    """
    if force and not (reason or "").strip():
        raise UserError("--force needs --reason TEXT: the history must say why the gates were overruled")
    said, name = _checked(reason), model_name(kind, present.snapshot.ticker)
    with registry.lock(name):
        known, champion = history(registry, name), registry.production(name)
        candidate = registry.version(name, version)
        if champion and champion.version == version:
            raise UserError(f"{name} version {version} is in Production already")
        decision = judge(registry, kind, candidate, champion, present)
        answers = next(gate for gate in decision.gates if gate.name == "answers")
        outcome = "promoted" if decision.promote else "forced" if force and answers.passed else "refused"
        why = "; ".join(filter(None, [said, decision.reason]))
        made = _record(candidate, outcome, champion, why, decision)
        if made.moved:
            return _told(name, made, decision, _carry_out(registry, name, made, known, champion))
        record(registry, name, made)
    return _told(name, made, decision, made.previous)


def roll_back(registry: ModelRegistry, kind: Kind, present: Present, *, reason: str | None) -> dict[str, Any]:
    """Put back the version before, as `decision_log.before` finds it; JSON-ready.

    Raises NotAvailable if nothing is in Production or nothing was before; Refused if that version does not answer.
    """
    said, name = _checked(reason), model_name(kind, present.snapshot.ticker)
    with registry.lock(name):
        current, known = registry.require_production(name), history(registry, name)
        target = before(known, current.version, {version.version for version in registry.versions(name)})
        if target is None:
            raise NotAvailable(
                f"nothing to go back to: {name} version {current.version} replaced no version that is left"
            )
        version = registry.version(name, target)
        if problem := problem_of(registry, kind, version, present):
            raise Refused(f"{name} was not rolled back: version {target} {problem}")
        made = _record(version, "rolled back", current, said or f"rolled back from version {current.version}")
        now = _carry_out(registry, name, made, known, current)
    return _told(name, made, None, now)


def _carry_out(registry: ModelRegistry, name: str, made: Record, known: list[Record], champion: Version | None) -> int:
    """Record the decision, move the alias, settle with those who moved it meanwhile. Returns what is in Production.

    known, champion: the history and the version in Production that the decision was made on.
    """
    record(registry, name, made)
    meanwhile = _moved_since(registry, name, known, champion)
    registry.promote(name, made.version)
    seen = {(decision.at, decision.version) for decision in (*known, made)}
    others = [decision for decision in history(registry, name) if (decision.at, decision.version) not in seen]
    target = settled(made, [*others, *meanwhile])
    now = registry.production(name)
    if now is None or now.version != target:
        reason = f"settled after version {made.version} and others at once"
        record(registry, name, _record(registry.version(name, target), "promoted", now, reason))
        registry.promote(name, target)
    return target


def _moved_since(registry: ModelRegistry, name: str, known: list[Record], champion: Version | None) -> list[Record]:
    """The record of what is in Production by now, if that is not the champion that the decision was made on."""
    now = registry.production(name)
    if now is None or (champion and now.version == champion.version):
        return []
    return [decision for decision in known if decision.moved and decision.version == now.version][-1:]


def _record(
    version: Version, outcome: Any, before_it: Version | None, reason: str, decision: Decision | None = None
) -> Record:
    return Record(
        version=version.version,
        outcome=outcome,
        previous=before_it.version if before_it else None,
        data_end=version.data_end,
        reason=reason,
        by=who(),
        gates=[gate.to_json() for gate in decision.gates] if decision else [],
    )


def _undone(known: list[Record], version: int) -> Record | None:
    """The rollback from a version, if that is the last that happened to it."""
    away = [decision for decision in known if decision.outcome == "rolled back" and decision.previous == version]
    put = [decision for decision in known if decision.moved and decision.version == version]
    return away[-1] if away and (not put or put[-1].at < away[-1].at) else None


def _checked(reason: str | None) -> str | None:
    if reason is not None and len(reason) > LONGEST_REASON:
        raise UserError(f"--reason: {len(reason)} characters are too many, at most {LONGEST_REASON}")
    return reason and " ".join(reason.split())


def _told(name: str, made: Record, decision: Decision | None, now: int | None) -> dict[str, Any]:
    return {
        "model": name,
        "version": made.version,
        "outcome": made.outcome,
        "promoted": made.moved,
        "production": now,
        "previous": made.previous,
        "reason": made.reason,
        "standing": decision.standing if decision else None,
        "by": made.by,
        "at": made.at,
        "gates": list(made.gates),
    }
