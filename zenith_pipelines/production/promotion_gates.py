"""Whether a candidate may move the Production alias, and why. Pure: figures in, a decision with its gates out.

Gates compare the candidate with the champion, the version in Production. One principle holds for all: a gate never
keeps a champion that would fail it worse (docs/decisions/0018).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zenith_core.evaluation.champion_challenger import LEVEL
from zenith_core.evaluation.metrics import SIGNIFICANCE

MATERIAL = 1e-3  # a loss that is larger by a thousandth is not larger, however sure that is
COVERAGE_Z = 2.58  # normal quantile: of three horizons that are covered as promised, one in 33 candidates fails one
LEAST_TOLERANCE = 0.02  # of coverage; with very many rows, an honest band may still be a point or two off
COVERAGE_SLACK = 0.01  # by which a coverage must be further off than the champion's to be worse


@dataclass(frozen=True)
class Gate:
    """One condition: whether it is met, what was seen, in words and in figures (JSON-ready)."""

    name: str
    passed: bool
    says: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The gate as JSON-ready values."""
        return {"gate": self.name, "passed": self.passed, "says": self.says, "figures": dict(self.figures)}


@dataclass(frozen=True)
class Decision:
    """`promote` only if every gate passed. `standing` says what the model is worth, promoted or not.

    sanity:  the gates of every model
    earned:  those against the champion; none for a first model
    """

    sanity: tuple[Gate, ...]
    earned: tuple[Gate, ...]
    standing: str

    @property
    def gates(self) -> tuple[Gate, ...]:
        """All gates."""
        return (*self.sanity, *self.earned)

    @property
    def promote(self) -> bool:
        """Whether all gates passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def reason(self) -> str:
        """One line: what speaks against the candidate, or else what it is worth and what it was compared by."""
        against = [f"{gate.name}: {gate.says}" for gate in self.gates if not gate.passed]
        return "; ".join(against or [self.standing, *(f"{gate.name}: {gate.says}" for gate in self.earned)])


def decide(sanity: Sequence[Gate], earned: Sequence[Gate] | None, *, beats_naive: bool) -> Decision:
    """Judge a candidate by its gates. `earned`, those against the champion, is None for a first model."""
    skill = "better than the naive forecast" if beats_naive else "no skill shown"
    standing = f"first model, {skill}" if earned is None else skill
    return Decision(tuple(sanity), tuple(earned or ()), standing)


def answers_gate(problem: str | None) -> Gate:
    """The artifact loads in ONNX Runtime and answers with finite numbers; `problem` says why not."""
    return Gate("answers", problem is None, problem or "loads in ONNX Runtime, finite answers")


def leakage_gate(certificate: str | None) -> Gate:
    """The features it was trained on passed their leakage certificate (its one-line summary)."""
    passed = (certificate or "").startswith("passed")
    return Gate("leakage", passed, certificate or "the version carries no certificate")


def evidence_gate(rows: int) -> Gate:
    """It has out-of-sample forecasts whose outcome is known."""
    says = f"{rows} forecasts out of sample" if rows else "no forecast out of sample, so nothing speaks for it"
    return Gate("evidence", rows > 0, says, {"rows": rows})


def data_end_gate(candidate: str, champion: str) -> Gate:
    """An older data end never replaces a newer one, or a slow training that began earlier would win by ending last."""
    says = f"{candidate}, Production's is {champion}"
    return Gate("data end", candidate >= champion, says, {"candidate": candidate, "champion": champion})


def loss_gate(compared: Mapping[str, Any], newer: int, note: str = "") -> Gate:
    """The loss on rows that neither had seen is not larger than the champion's beyond noise.

    compared:  of `compare_prices` or `compare_signals`
    newer:     how many of its origins came after the champion's data end
    note:      why some rows could not be compared
    """
    origins, p_worse = compared["origins"], compared["p_worse"]
    figures = {**compared, "newer": newer}
    if not origins:
        return Gate("loss", True, "; ".join(filter(None, ["no rows that neither had seen", note])), figures)
    change = compared["candidate"] / compared["champion"] - 1 if compared["champion"] else 0.0
    worse = p_worse is not None and p_worse < SIGNIFICANCE and change > MATERIAL
    sure = "too few to tell or no difference" if p_worse is None else f"p = {p_worse:.3f}"
    seen = f"{change:+.1%} on {origins} origins ({newer} newer than Production's data), {sure}"
    return Gate("loss", not worse, "; ".join(filter(None, [seen, note])), {**figures, "change": change})


def coverage_gate(found: Sequence[Mapping[str, Any]]) -> Gate:
    """The 90 % band holds 90 % of outcomes, within what so many independent rows can tell (`coverages`)."""
    judged = [{**seen, "tolerance": _tolerance(seen["independent"])} for seen in found]
    passed = not any(_off(seen) for seen in judged)
    says = ", ".join(
        f"{seen['candidate']:.1%} ± {seen['tolerance']:.1%} at {seen['horizon']} (Production {seen['champion']:.1%})"
        for seen in judged
    )
    return Gate("coverage", passed, says or "no rows that neither had seen", {"horizons": judged})


def calibration_gate(metrics: Mapping[str, float], compared: Mapping[str, Any]) -> Gate:
    """The probabilities are not worse than the base rates beyond noise, by the Brier score of its own evidence.

    `metrics` of the candidate's evidence: brier, brier_baseline, p_value (small if better than the base rates), ece.
    """
    if "brier" not in metrics:
        return Gate("calibration", True, "no labelled rows")
    p_worse = 1 - metrics["p_value"] if "p_value" in metrics else None
    worse = p_worse is not None and p_worse < SIGNIFICANCE and metrics["brier"] > metrics["brier_baseline"]
    champion_is_no_better = (compared["candidate"] or 0.0) <= (compared["champion"] or 0.0)
    figures = {key: metrics[key] for key in ("brier", "brier_baseline", "ece") if key in metrics}
    says = f"Brier score {metrics['brier']:.4f}, base rates {metrics['brier_baseline']:.4f}, ECE {metrics['ece']:.3f}"
    return Gate("calibration", not worse or champion_is_no_better, says, {**figures, "p_worse": p_worse})


def _tolerance(independent: float) -> float:
    return max(LEAST_TOLERANCE, COVERAGE_Z * math.sqrt(LEVEL * (1 - LEVEL) / independent))


def _off(seen: Mapping[str, Any]) -> bool:
    """Off beyond tolerance, and further off than the champion."""
    own, other = abs(seen["candidate"] - LEVEL), abs(seen["champion"] - LEVEL)
    return bool(own > seen["tolerance"] and own > other + COVERAGE_SLACK)
