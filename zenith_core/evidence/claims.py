"""A ticker's evidence beside that of all tickers, in figures and one plain sentence.

Claims are made among the forecasts of all tickers at one horizon. A ticker without outcomes yet counts with an e-value
of 1: it is looked at too.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from math import exp, log
from typing import Any, TypedDict

from zenith_core.evidence.discoveries import LEVEL, discovered, required

_LARGEST = log(1e12)  # an e-value beyond it is shown as this
_NEVER = "no outcome yet"


class Evidence(TypedDict):
    """Evidence that served forecasts of one horizon lose less than "the price stays".

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


def claims_by_horizon(own: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Evidence]:
    """Return the evidence of a ticker at each horizon, JSON-ready.

    own, others: of the ticker and of all others, as `zenith_core.evidence.track_evidence.ledger_evidence` returns them
    """
    return {
        horizon: claim(evidence, [float(other.get(horizon, {}).get("log_e_value", 0.0)) for other in others])
        for horizon, evidence in own.items()
    }


def claim(own: Mapping[str, Any], others: Sequence[float]) -> Evidence:
    """Return the evidence of a ticker at one horizon, JSON-ready.

    own:     log_e_value and since, as `zenith_core.evidence.track_evidence.ledger_evidence` returns them
    others:  log e-values of all other tickers
    """
    value, tickers = float(own["log_e_value"]), len(others) + 1
    claims = discovered([value, *others])
    count, is_claim = int(claims.sum()), bool(claims[0])
    threshold = tickers / count / LEVEL if is_claim else required([value, *others])
    says = _sentence(own, f"asks {_to_one(threshold)}", _many(tickers), is_claim, count) if own["since"] else _NEVER
    return Evidence(
        e_value=_rounded(exp(min(value, _LARGEST))),
        since=own["since"],
        required=_rounded(threshold),
        discovered=is_claim,
        says=says,
    )


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


def _many(tickers: int) -> str:
    return "1 ticker" if tickers == 1 else f"{tickers:,} tickers"
