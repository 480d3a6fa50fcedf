"""A ticker's evidence beside that of all tickers, in figures and one plain sentence.

Claims are made among the forecasts of all tickers of one task at one horizon. A ticker without outcomes yet counts with
an e-value of 1: it is looked at too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import exp, log
from typing import Any, Self, TypedDict

from zenith_core.evidence.discoveries import LEVEL, threshold
from zenith_core.model_kinds.tasks import Task
from zenith_core.words import counted

_LARGEST = log(1e12)  # an e-value beyond it is shown as this
_NEVER = "no outcome yet"
_NO_OUTCOME: Mapping[str, Any] = {"log_e_value": 0.0, "since": None}

TickerEvidence = Mapping[Task, Mapping[str, Mapping[str, Any]]]
"""By task and horizon: `log_e_value`, and `since`, the first origin that counts, or None."""


class Evidence(TypedDict):
    """Evidence that served forecasts of one horizon lose less than the naive forecast.

    e_value:     odds against luck, valid at every look; 1 without outcomes
    since:       the first origin that counts
    required:    the e-value of a claim, among all tickers at this horizon
    discovered:  True if the claim is made
    says:        all this in one sentence
    """

    e_value: float
    since: str | None
    required: float
    discovered: bool
    says: str


@dataclass(frozen=True)
class Look:
    """The claims among all tickers' e-values of a task at one horizon.

    threshold: the log e-value from which on claims are made; infinite if there are none
    """

    tickers: int
    claims: int
    threshold: float

    @classmethod
    def at(cls, log_e_values: Sequence[float]) -> Self:
        """Look at all e-values at once."""
        least = threshold(log_e_values)
        return cls(len(log_e_values), sum(value >= least for value in log_e_values), least)

    def judge(self, own: Mapping[str, Any]) -> Evidence:
        """Return the evidence of one of the tickers, JSON-ready. `own` has its log_e_value and since."""
        value = float(own["log_e_value"])
        is_claim = value >= self.threshold
        limit = self.tickers / (self.claims if is_claim else min(self.claims + 1, self.tickers)) / LEVEL
        asks, among = f"asks {_to_one(limit)}", counted(self.tickers, "ticker")
        return Evidence(
            e_value=_rounded(exp(min(value, _LARGEST))),
            since=own["since"],
            required=_rounded(limit),
            discovered=is_claim,
            says=_sentence(own, asks, among, is_claim, self.claims) if own["since"] else _NEVER,
        )


class Universe:
    """The evidence of all tickers at one moment."""

    def __init__(self, tickers: Collection[TickerEvidence]) -> None:
        self._nothing = Look(max(len(tickers), 1), 0, float("inf"))
        parts = {(task, horizon) for own in tickers for task, by_horizon in own.items() for horizon in by_horizon}
        self._looks = {
            part: Look.at([float(_part(own, *part)["log_e_value"]) for own in tickers]) for part in sorted(parts)
        }

    def judge(self, own: TickerEvidence, task: Task, horizon: str) -> Evidence:
        """Return the evidence of one of the tickers for a task at a horizon, JSON-ready."""
        return self._looks.get((task, horizon), self._nothing).judge(_part(own, task, horizon))

    def judge_all(self, own: TickerEvidence, task: Task) -> dict[str, Evidence]:
        """Return the evidence of one of the tickers for a task by horizon, JSON-ready."""
        return {horizon: self.judge(own, task, horizon) for horizon in own.get(task, {})}


def nearest_horizon(own: TickerEvidence, task: Task, horizon: int) -> str:
    """Return the horizon nearest to the requested one at which a ticker has evidence; signals have one."""
    return min(own.get(task, {}), key=lambda each: abs(int(each) - horizon), default=str(horizon))


def _part(own: TickerEvidence, task: Task, horizon: str) -> Mapping[str, Any]:
    return own.get(task, {}).get(horizon, _NO_OUTCOME)


def _sentence(own: Mapping[str, Any], asks: str, among: str, is_claim: bool, count: int) -> str:
    so_far = f"{odds(own['log_e_value'])} since {_month(own['since'])}"
    if is_claim:
        return f"{so_far}: a claim, which {asks} among {among}"
    return f"{so_far}; the {'next' if count else 'first'} claim among {among} {asks}"


def odds(log_e_value: float) -> str:
    """Return an e-value in words: "34 to 1", or "1 to 5" if the naive forecast was the better one."""
    if log_e_value > _LARGEST:
        return f"more than {_to_one(exp(_LARGEST))}"
    return _to_one(exp(log_e_value)) if log_e_value >= 0 else f"1 to {_short(exp(min(-log_e_value, _LARGEST)))}"


def _to_one(value: float) -> str:
    return f"{_short(value)} to 1"


def _short(value: float) -> str:
    """Format with one decimal below 10, and as a whole number from there."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:,.0f}"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _month(day: str) -> str:
    return f"{date.fromisoformat(day):%B %Y}"
