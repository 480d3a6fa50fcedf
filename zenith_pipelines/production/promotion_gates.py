"""The gates that decide whether a candidate becomes Production. Pure: figures in, a decision with its gates out.

The gates compare the candidate with the champion, the version in Production. One principle holds for all: a gate never
keeps a champion that would fail it by more (docs/decisions/0018).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zenith_core.evaluation.champion_challenger import LEVEL
from zenith_core.evaluation.metrics import SIGNIFICANCE
from zenith_core.words import p_clause

MATERIAL = 1e-3  # a loss that is higher by less than a thousandth is not higher, however significant
COVERAGE_Z = 2.58  # normal quantile: of candidates with three well-covered horizons, one in 33 fails at one of them
LEAST_TOLERANCE = 0.02  # of coverage; even with very many rows, a sound band may be a point or two off
COVERAGE_SLACK = 0.01  # a coverage is worse than the champion's if it is further off by more than this


@dataclass(frozen=True)
class Gate:
    """One condition: passed or not, the evidence in words, and its figures (JSON-ready)."""

    name: str
    passed: bool
    detail: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the gate as JSON-ready values."""
        return {"gate": self.name, "passed": self.passed, "says": self.detail, "figures": dict(self.figures)}


@dataclass(frozen=True)
class Decision:
    """The outcome of all gates.

    sanity:            gates of every model
    against_champion:  gates that compare it with the champion; none for a first model
    standing:          skill of the model, promoted or not
    """

    sanity: tuple[Gate, ...]
    against_champion: tuple[Gate, ...]
    standing: str

    @property
    def gates(self) -> tuple[Gate, ...]:
        """All gates."""
        return (*self.sanity, *self.against_champion)

    @property
    def promote(self) -> bool:
        """True if every gate passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def reason(self) -> str:
        """One line: the failed gates, or else the standing and the gates against the champion."""
        failures = [f"{gate.name}: {gate.detail}" for gate in self.gates if not gate.passed]
        return "; ".join(
            failures or [self.standing, *(f"{gate.name}: {gate.detail}" for gate in self.against_champion)]
        )


def decide(sanity: Sequence[Gate], against_champion: Sequence[Gate] | None, *, beats_naive: bool) -> Decision:
    """Combine the gates into a decision. `against_champion` is None for a first model."""
    skill = "better than the naive forecast" if beats_naive else "no skill shown"
    standing = f"first model, {skill}" if against_champion is None else skill
    return Decision(tuple(sanity), tuple(against_champion or ()), standing)


def answers_gate(problem: str | None) -> Gate:
    """The model loads in ONNX Runtime and returns finite numbers; `problem` is the reason if not."""
    return Gate("answers", problem is None, problem or "loads in ONNX Runtime and returns finite numbers")


def leakage_gate(certificate: str | None) -> Gate:
    """The leakage certificate of its features passed. `certificate` is the one-line summary."""
    passed = (certificate or "").startswith("passed")
    return Gate("leakage", passed, certificate or "the version has no leakage certificate")


def evidence_gate(rows: int) -> Gate:
    """It has out-of-sample forecasts with known outcomes."""
    detail = f"{rows} out-of-sample forecasts with known outcomes" if rows else "no out-of-sample forecasts"
    return Gate("evidence", rows > 0, detail, {"rows": rows})


def data_end_gate(candidate: str, champion: str, served: str) -> Gate:
    """Its data do not end before the champion's. So a slow training that started earlier cannot win by ending last.

    A champion that has seen prices after the last session that is served cannot answer: then a candidate that can
    passes.
    """
    detail = f"data until {candidate}, Production's until {champion}"
    if champion > served:
        detail += f", after those that are served, which end on {served}: it cannot answer"
    passed = candidate >= champion or candidate <= served < champion
    return Gate("data end", passed, detail, {"candidate": candidate, "champion": champion})


def horizon_gate(candidate: int, champion: int) -> Gate:
    """It signals as far ahead as the champion: otherwise nothing can be compared, and callers would get other answers.

    A person may force it into Production.
    """
    detail = f"horizon of the signals {candidate}, in Production {champion}: they cannot be compared, only forced"
    return Gate("horizon", candidate == champion, detail, {"candidate": candidate, "champion": champion})


def loss_gate(comparison: Mapping[str, Any], newer: int, note: str = "") -> Gate:
    """On rows that neither model was trained on, its loss is not higher than the champion's beyond noise.

    comparison:  as `compare_prices` or `compare_signals` return it
    newer:       number of origins after the champion's data end
    note:        the reason if some rows could not be compared
    """
    origins, p_worse = comparison["origins"], comparison["p_worse"]
    figures = {**comparison, "newer": newer}
    if not origins:
        return Gate("loss", True, "; ".join(filter(None, ["no common out-of-sample rows", note])), figures)
    change = comparison["candidate"] / comparison["champion"] - 1 if comparison["champion"] else 0.0
    worse = p_worse is not None and p_worse < SIGNIFICANCE and change > MATERIAL
    test = p_clause("en", p_worse)
    detail = f"{change:+.1%} on {origins} origins ({newer} newer than Production's data), {test}"
    return Gate("loss", not worse, "; ".join(filter(None, [detail, note])), {**figures, "change": change})


def coverage_gate(coverages: Sequence[Mapping[str, Any]]) -> Gate:
    """The 90 % band holds 90 % of outcomes within sampling error, or is no further off than the champion's.

    coverages:  by horizon, as `zenith_core.evaluation.champion_challenger.coverages` returns them
    """
    horizons = [{**coverage, "tolerance": _tolerance(coverage["independent"])} for coverage in coverages]
    detail = ", ".join(
        f"{one['candidate']:.1%} ± {one['tolerance']:.1%} at {one['horizon']} (Production {one['champion']:.1%})"
        for one in horizons
    )
    passed = not any(_too_far_off(one) for one in horizons)
    return Gate("coverage", passed, detail or "no common out-of-sample rows", {"horizons": horizons})


def calibration_gate(metrics: Mapping[str, float], comparison: Mapping[str, Any]) -> Gate:
    """By Brier score, its probabilities are not worse than the base rates beyond noise, or the champion's no better.

    `metrics` of the candidate's evidence: brier, brier_baseline, p_value (small if better than the base rates), ece.
    """
    if "brier" not in metrics:
        return Gate("calibration", True, "no labelled rows")
    p_worse = 1 - metrics["p_value"] if "p_value" in metrics else None
    worse = p_worse is not None and p_worse < SIGNIFICANCE and metrics["brier"] > metrics["brier_baseline"]
    champion_is_no_better = (comparison["candidate"] or 0.0) <= (comparison["champion"] or 0.0)
    figures = {key: metrics[key] for key in ("brier", "brier_baseline", "ece") if key in metrics}
    detail = f"Brier score {metrics['brier']:.4f}, base rates {metrics['brier_baseline']:.4f}, ECE {metrics['ece']:.3f}"
    return Gate("calibration", not worse or champion_is_no_better, detail, {**figures, "p_worse": p_worse})


def _tolerance(independent: float) -> float:
    return max(LEAST_TOLERANCE, COVERAGE_Z * math.sqrt(LEVEL * (1 - LEVEL) / independent))


def _too_far_off(horizon: Mapping[str, Any]) -> bool:
    """True if the coverage is off beyond its tolerance, and further off than the champion's."""
    own, other = abs(horizon["candidate"] - LEVEL), abs(horizon["champion"] - LEVEL)
    return bool(own > horizon["tolerance"] and own > other + COVERAGE_SLACK)
