"""Verdicts on the figures in plain words. A model without skill is reported as such."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zenith_core.backtesting.backtest import Backtest
from zenith_core.evaluation.metrics import SIGNIFICANCE
from zenith_core.features.leakage import leakage_summary
from zenith_core.model_kinds.table import title_of
from zenith_pipelines.reports.formatting import count, interval, number, p_value_text, percent
from zenith_pipelines.reports.report_data import ReportData

_SAME_SHARPE = 0.005  # equal as printed
_SURE = 1 - SIGNIFICANCE  # of a deflated Sharpe ratio


@dataclass(frozen=True)
class Verdict:
    """One sentence on one subject, its figures, and `good` if it favours the model."""

    subject: str
    sentence: str
    figures: str
    good: bool


def verdicts(report: ReportData) -> list[Verdict]:
    """Return the verdicts on the price model, its bands, the signal model, the backtests and the features."""
    return [
        _price_verdict(report.price_metrics),
        _band_verdict(report.band_metrics),
        _signal_verdict(report.signal_metrics),
        *(_backtest_verdict(f"{title_of(kind)} backtest", backtest) for kind, backtest in report.backtests.items()),
        _leakage_verdict(report.leakage),
    ]


def _price_verdict(metrics: dict[str, Any]) -> Verdict:
    good = metrics["beats_naive"]
    sentence = f"{'Better' if good else 'No better'} than assuming an unchanged price"
    significant = sum(row["beats_naive"] for row in metrics["by_horizon"].values())
    figures = (
        f"{metrics['horizon']} sessions ahead: skill {percent(metrics['skill'], sign=True)}, "
        f"{p_value_text(metrics['p_value'])}; significant at {significant} of {len(metrics['by_horizon'])} horizons"
    )
    return Verdict("Price forecast", sentence, figures, good)


def _band_verdict(metrics: Mapping[str, Any]) -> Verdict:
    coverage = metrics["coverage"]
    if coverage is None:
        return Verdict("90 % band", "Not scored yet", "no forecast has matured", False)
    good = 0.87 <= coverage <= 0.93
    sentence = "Keeps its promise" if good else "Too narrow" if coverage < 0.87 else "Too wide"
    gain = f"skill against static quantiles {percent(metrics.get('pinball_skill'), sign=True)}"
    if "pinball_ewma" in metrics:
        gain = f"skill against EWMA {percent(metrics['skill'], sign=True)}, {p_value_text(metrics['p_value'])}"
    figures = f"covered {coverage:.1%} of prices {metrics['horizon']} sessions ahead; {gain}"
    return Verdict("90 % band", sentence, figures, good)


def _signal_verdict(metrics: dict[str, Any]) -> Verdict:
    good = metrics["beats_naive"]
    sentence = "Better" if good else "No better"
    figures = (
        f"Brier {number(metrics['brier'], 3)} against {number(metrics['brier_baseline'], 3)}, "
        f"{p_value_text(metrics['p_value'])}; calibration error {percent(metrics.get('ece'))}; "
        f"buy or sell in {percent(metrics.get('signalled'))} of sessions"
    )
    return Verdict("Signal", f"{sentence} than the historical frequency of each class", figures, good)


def _backtest_verdict(subject: str, backtest: Backtest) -> Verdict:
    own, benchmark = backtest.stats["strategy"], backtest.stats["buy_and_hold"]
    own_return, benchmark_return = (percent(stats["total_return"], sign=True) for stats in (own, benchmark))
    returns = f"return {own_return} against {benchmark_return}"
    if not own["trades"] + own["open_trades"]:
        return Verdict(subject, "It never traded: nothing to compare", returns, False)
    if own["sharpe"] is None or benchmark["sharpe"] is None:
        return Verdict(subject, "Nothing to compare: no session after the first trade", returns, False)
    sentence, good = _compare(own, benchmark)
    sharpe_interval = interval(own.get("sharpe_low"), own.get("sharpe_high"))
    figures = (
        f"{returns}; Sharpe {number(own['sharpe'])} (90 % interval {sharpe_interval}) "
        f"against {number(benchmark['sharpe'])}, "
        f"{p_value_text(own.get('excess_sharpe_p_value'))}; "
        f"deflated Sharpe {percent(own.get('deflated_sharpe'))}, trials: {count(own.get('trials'))}"
    )
    return Verdict(subject, sentence, figures, good)


def _compare(own: Mapping[str, Any], benchmark: Mapping[str, Any]) -> tuple[str, bool]:
    """Favour the strategy only if neither chance nor the number of trials explains its gain."""
    ahead = own["sharpe"] - benchmark["sharpe"]
    if abs(ahead) < _SAME_SHARPE:
        return "Same risk-adjusted return as buy and hold, after costs", False
    if ahead < 0:
        return "Lower risk-adjusted return than buy and hold, after costs", False
    p, deflated_sharpe = own.get("excess_sharpe_p_value"), own.get("deflated_sharpe")
    more = "Higher risk-adjusted return than buy and hold, after costs"
    if p is None or deflated_sharpe is None:
        return f"{more}, but its significance is unknown", False
    if p >= SIGNIFICANCE:
        return f"{more}, but chance alone may explain it", False
    if deflated_sharpe < _SURE:
        return f"{more}, but luck among so many trials may explain it", False
    return f"{more}, beyond chance", True


def _leakage_verdict(certificate: Mapping[str, Any]) -> Verdict:
    if not certificate:
        return Verdict("Look-ahead", "Not tested: the features have no leakage certificate", "", False)
    good = certificate["passed"]
    sentence = (
        "No feature changed when later sessions were removed"
        if good
        else "The features failed the look-ahead test: do not trust anything below"
    )
    return Verdict("Look-ahead", sentence, f"leakage certificate {leakage_summary(certificate)}", good)
