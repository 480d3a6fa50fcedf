"""`zenith replay`: the gates of a promotion decision again, beside its record."""

import json
import re
from dataclasses import asdict
from typing import Any

from zenith_cli.options import current_names
from zenith_core.names import SCALE
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.decision_replay import DecisionReplay, find_decision, replay_decision
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.risk.scale_replay import replay_scale
from zenith_pipelines.settings import Settings

SAME, DIFFERENT, MISSING = 0, 1, 3  # exit status


def replay_promotion(decision: str, *, as_json: bool) -> int:
    """Print the replay and return the exit status. Raises UserError or NotAvailable for an unknown decision."""
    settings = Settings()
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    name, record = find_decision(registry, _under_current_name(decision))
    store = DatasetStore(settings.data_uri)
    is_scale = name == SCALE
    replay = replay_scale(registry, store, record) if is_scale else replay_decision(registry, store, name, record)
    if as_json:
        print(json.dumps(_document(replay), indent=2, allow_nan=False))
    else:
        print("\n".join(lines(replay)))
    return exit_status(replay)


def _under_current_name(decision: str) -> str:
    """Replace the ticker of `lstm-FB/3` if it was renamed."""
    return re.sub(r"(?<=-)[^/@]+", lambda ticker: current_names(ticker[0]), decision, count=1)


def exit_status(replay: DecisionReplay) -> int:
    """Return the exit status of a replay."""
    return MISSING if replay.missing else SAME if replay.is_same else DIFFERENT


def _document(replay: DecisionReplay) -> dict[str, Any]:
    return {
        "model": replay.name,
        "decision": asdict(replay.record),
        "same": None if replay.missing else replay.is_same,
        "gates": list(replay.gates),
        "missing": list(replay.missing),
    }


def lines(replay: DecisionReplay) -> list[str]:
    """Return the replay as lines of text."""
    record = replay.record
    first = f"{replay.name} version {record.version}, {record.outcome} {record.at[:16]} by {record.by}: {record.reason}"
    if replay.missing:
        return [first, *(f"missing: {reason}" for reason in replay.missing)]
    if not record.gates:
        return [first, "It was decided without gates: there is nothing to compute again."]
    sayings = {gate["gate"]: gate["says"] for gate in record.gates}
    gates = [_line(gate, sayings.get(gate["gate"])) for gate in replay.gates]
    gates += [f"gone       {name}: the record has it" for name in sayings if name not in _names(replay)]
    return [first, *gates, "Same verdict and figures." if replay.is_same else "Not the same as in the record."]


def _names(replay: DecisionReplay) -> list[str]:
    return [gate["gate"] for gate in replay.gates]


def _line(gate: Any, saying: str | None) -> str:
    verdict = "passed " if gate["passed"] else "REFUSED"
    line = f"{'same     ' if gate['same'] else 'DIFFERENT'}  {verdict}  {gate['gate']}: {gate['says']}"
    return line if gate["same"] else f"{line}; record: {saying or 'no such gate'}"
