"""From probabilities to buy, hold or sell. One rule for evaluation and for serving.

A signal claims that a move is likelier than usual. Without evidence for the claim, the model abstains: the signal is
"hold", with a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zenith_core.arrays import AnyFloats, Bools, Floats
from zenith_core.errors import NotAvailable
from zenith_core.inference import SIGNALS
from zenith_core.snapshot import ServingSnapshot

REASONS = {
    "model": "The model finds this likelier than usual.",
    "stale_data": "The model abstains: the data are out of date.",
    "outside_training_range": "The model abstains: today is unlike anything it was trained on.",
    "fails_baseline": "The model abstains: on what it had not seen it knew the direction no better than chance.",
    "not_discovered": "The model abstains: the evidence for its signals is not enough among so many tickers.",
    "low_confidence": "The model abstains: neither buy nor sell is much likelier than usual.",
    "no_model": "No model of this ticker is trained yet.",
}
"""Reasons of signals: stable codes with a sentence for people. Of several reasons to abstain the first counts."""

LIFT = 1.2  # buy or sell must be this many times as likely as usual
SLACK = 0.1  # of a feature's training range, on either side: trees are constant beyond it

_SELL, _BUY = SIGNALS.index("sell"), SIGNALS.index("buy")


@dataclass(frozen=True)
class Limits:
    """The range of the training rows of a signal model, and the base rates of its labels.

    lower, upper:  (features,) lowest and highest value of each model input
    base_rates:    (3,) frequency of each of SIGNALS
    """

    lower: Floats
    upper: Floats
    base_rates: Floats

    def outside(self, rows: AnyFloats) -> Bools:
        """Return True where `rows` (n, features) are beyond the training range and SLACK. (n, features)"""
        slack = SLACK * (self.upper - self.lower)
        beyond: Bools = (rows < self.lower - slack) | (rows > self.upper + slack)
        return beyond

    def to_json(self) -> dict[str, list[float]]:
        """Return the limits as JSON-ready values; `from_json` restores them."""
        return {name: np.asarray(values, dtype=float).tolist() for name, values in vars(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Sequence[float]]) -> Self:
        """Inverse of `to_json`. Raises KeyError if a part is missing."""
        return cls(*(np.array(document[name], dtype=float) for name in ("lower", "upper", "base_rates")))


def decide_signals(
    probabilities: AnyFloats,
    rows: AnyFloats,
    limits: Limits,
    *,
    proven: bool,
    stale: bool = False,
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Return signals (n,) and their reasons (n,) for `rows` (n, features) with calibrated `probabilities` (n, 3).

    The signal is buy or sell if it is the likelier of the two and at least LIFT times as likely as its base rate;
    hold, if one of the other REASONS applies.

    proven:  True if the model beat its baseline out of sample
    stale:   True if the rows are too old to act on
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    side = np.where(probabilities[:, _BUY] > probabilities[:, _SELL], _BUY, _SELL)
    lift = np.take_along_axis(probabilities / limits.base_rates, side[:, np.newaxis], axis=1)[:, 0]
    reasons = np.select(
        [np.full(len(side), stale), limits.outside(rows).any(axis=1), np.full(len(side), not proven), lift < LIFT],
        ["stale_data", "outside_training_range", "fails_baseline", "low_confidence"],
        "model",
    )
    return np.where(reasons == "model", np.array(SIGNALS)[side], "hold"), reasons


@dataclass(frozen=True)
class SignalDecision:
    """A signal and its reason, a key of REASONS."""

    signal: str
    reason: str

    @property
    def text(self) -> str:
        """Return the reason as a sentence."""
        return REASONS[self.reason]


def withhold(decision: SignalDecision, *, is_claim: bool) -> SignalDecision:
    """Return the decision to serve: hold, unless the evidence for the ticker's signals is enough among all tickers.

    An earlier one of REASONS to abstain counts first.
    """
    if is_claim or decision.reason not in ("model", "low_confidence"):
        return decision
    return SignalDecision("hold", "not_discovered")


def decide_latest_signal(
    probabilities: Mapping[str, float], snapshot: ServingSnapshot, facts: Mapping[str, Any], *, stale: bool
) -> SignalDecision:
    """Decide at a snapshot's origin; `probabilities` by name of SIGNALS, `facts` from the model's artifact.

    It is the model's own decision, before `withhold`.

    The model is proven by the same rule as the model of each fold: the test on all out-of-sample votes before its
    training. Raises NotAvailable if the facts lack the result, or the limits of the training rows.
    """
    try:
        limits = Limits.from_json(facts["study"]["limits"])
        proven = bool(facts["study"]["final"]["calibration"]["proven"])
    except KeyError as missing:
        raise NotAvailable(f"the signal model does not say its {missing.args[0]}: train it again") from None
    row = np.array([[probabilities[name] for name in SIGNALS]])
    signal, reason = decide_signals(row, snapshot.window[-1:], limits, proven=proven, stale=stale)
    return SignalDecision(str(signal[0]), str(reason[0]))
