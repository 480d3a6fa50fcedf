"""Verdicts on the figures of a ticker as codes, which the report and the page put into words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zenith_core.names import SIGNIFICANCE

BAND_KEPT = (0.87, 0.93)
"""The coverage within which a 90 % band keeps its promise."""

_SAME_SHARPE = 0.005  # equal as printed
_SURE = 1 - SIGNIFICANCE  # of a deflated Sharpe ratio

CODES = {
    "price": ("better", "no_better"),
    "band": ("unscored", "kept", "too_narrow", "too_wide"),
    "signal": ("better", "no_better"),
    "backtest": ("never_traded", "incomparable", "same", "lower", "unknown", "chance", "trials", "higher"),
    "leakage": ("untested", "passed", "failed"),
}
"""The codes of each subject."""

_GOOD = {("price", "better"), ("band", "kept"), ("signal", "better"), ("backtest", "higher"), ("leakage", "passed")}


@dataclass(frozen=True)
class Verdict:
    """A subject and its code, one of CODES."""

    subject: str
    code: str

    @property
    def good(self) -> bool:
        """True if it favours the model."""
        return (self.subject, self.code) in _GOOD


def price_verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Judge the price forecasts by `price_metrics`."""
    return Verdict("price", "better" if metrics["beats_naive"] else "no_better")


def band_metrics(price_metrics: Mapping[str, Any], risk_record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figures of the bands of the scale, in the form of `price_metrics`, from their walk-forward record."""
    figures = risk_record.get("horizons", {})
    by_horizon = {horizon: own["band"] for horizon, own in figures.items() if "band" in own}
    headline = price_metrics["horizon"]
    if not by_horizon:
        return {"horizon": headline, "coverage": None, "by_horizon": {}}
    nearest = min(by_horizon, key=lambda horizon: abs(int(horizon) - headline))
    return {"horizon": int(nearest), **by_horizon[nearest], "by_horizon": by_horizon}


def band_verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Judge the 90 % band by `price_metrics`, or by `band_metrics`."""
    coverage = metrics["coverage"]
    if coverage is None:
        return Verdict("band", "unscored")
    low, high = BAND_KEPT
    return Verdict("band", "too_narrow" if coverage < low else "too_wide" if coverage > high else "kept")


def signal_verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Judge the signals by `signal_metrics`."""
    return Verdict("signal", "better" if metrics["beats_naive"] else "no_better")


def backtest_verdict(stats: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Judge a backtest by its statistics: good only if neither chance nor the number of trials explains the gain."""
    own, benchmark = stats["strategy"], stats["buy_and_hold"]
    if not own["trades"] + own["open_trades"]:
        return Verdict("backtest", "never_traded")
    if own["sharpe"] is None or benchmark["sharpe"] is None:
        return Verdict("backtest", "incomparable")
    ahead = own["sharpe"] - benchmark["sharpe"]
    if abs(ahead) < _SAME_SHARPE:
        return Verdict("backtest", "same")
    return Verdict("backtest", "lower" if ahead < 0 else _explanation(own))


def leakage_verdict(certificate: Mapping[str, Any]) -> Verdict:
    """Judge the features by their leakage certificate; empty if there is none."""
    if not certificate:
        return Verdict("leakage", "untested")
    return Verdict("leakage", "passed" if certificate["passed"] else "failed")


def _explanation(own: Mapping[str, Any]) -> str:
    p, deflated_sharpe = own.get("excess_sharpe_p_value"), own.get("deflated_sharpe")
    if p is None or deflated_sharpe is None:
        return "unknown"
    if p >= SIGNIFICANCE:
        return "chance"
    among_all = own.get("deflated_sharpe_all")  # trials of all tickers; None before they were counted
    return "trials" if min(deflated_sharpe, deflated_sharpe if among_all is None else among_all) < _SURE else "higher"
