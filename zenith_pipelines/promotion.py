"""Whether a candidate may move the Production alias, and why. Pure: figures in, a decision with reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Decision:
    """`promote` only if every gate passed; `gates` maps each gate to what was seen, for people to read."""

    promote: bool
    gates: dict[str, str]

    @property
    def reason(self) -> str:
        """All gates in one line."""
        return "; ".join(f"{gate}: {seen}" for gate, seen in self.gates.items())


def decide(candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, *, answer_is_finite: bool) -> Decision:
    """Judge a candidate against the model in Production (`None` for a first model), by their lineage facts.

    An older data end never replaces a newer one: a slow training that started earlier would otherwise
    win by finishing last.
    """
    newer = champion is None or candidate["data_end"] >= champion["data_end"]
    before = "a first model" if champion is None else f"Production ends {champion['data_end']}"
    gates = {
        "answers": "finite prices or probabilities" if answer_is_finite else "REFUSED: not finite",
        "data end": f"{'' if newer else 'REFUSED: '}{candidate['data_end']}, {before}",
    }
    return Decision(promote=answer_is_finite and newer, gates=gates)
