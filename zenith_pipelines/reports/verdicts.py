"""Verdicts on the figures in plain words. A model without skill is reported as such."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zenith_core.backtesting.backtest import Backtest
from zenith_core.evidence import verdicts as judges
from zenith_core.features.leakage import leakage_summary
from zenith_core.model_kinds.table import title_of
from zenith_pipelines.reports.formatting import count, interval, number, p_value_text, percent
from zenith_pipelines.reports.report_data import ReportData

_HIGHER = "Higher risk-adjusted return than buy and hold, after costs"
SENTENCES = {
    "price.better": "Better than assuming an unchanged price",
    "price.no_better": "No better than assuming an unchanged price",
    "band.unscored": "Not scored yet",
    "band.kept": "Keeps its promise",
    "band.too_narrow": "Too narrow",
    "band.too_wide": "Too wide",
    "signal.better": "Better than the historical frequency of each class",
    "signal.no_better": "No better than the historical frequency of each class",
    "backtest.never_traded": "It never traded: nothing to compare",
    "backtest.incomparable": "Nothing to compare: no session after the first trade",
    "backtest.same": "Same risk-adjusted return as buy and hold, after costs",
    "backtest.lower": "Lower risk-adjusted return than buy and hold, after costs",
    "backtest.unknown": f"{_HIGHER}, but its significance is unknown",
    "backtest.chance": f"{_HIGHER}, but chance alone may explain it",
    "backtest.trials": f"{_HIGHER}, but luck among so many trials may explain it",
    "backtest.higher": f"{_HIGHER}, beyond chance",
    "leakage.untested": "Not tested: the features have no leakage certificate",
    "leakage.passed": "No feature changed when later sessions were removed",
    "leakage.failed": "The features failed the look-ahead test: do not trust anything below",
}
"""The sentence of each verdict."""


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
        price_verdict(report.price_metrics),
        band_verdict(report.band_metrics),
        signal_verdict(report.signal_metrics),
        *(_backtest_verdict(f"{title_of(kind)} backtest", backtest) for kind, backtest in report.backtests.items()),
        _leakage_verdict(report.leakage),
    ]


def price_verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Return the verdict on the price forecasts."""
    significant = sum(row["beats_naive"] for row in metrics["by_horizon"].values())
    figures = (
        f"{metrics['horizon']} sessions ahead: skill {percent(metrics['skill'], sign=True)}, "
        f"{p_value_text(metrics['p_value'])}; significant at {significant} of {len(metrics['by_horizon'])} horizons"
    )
    return _worded("Price forecast", judges.price_verdict(metrics), figures)


def band_verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Return the verdict on the 90 % band."""
    return _worded("90 % band", judges.band_verdict(metrics), _band_figures(metrics))


def _band_figures(metrics: Mapping[str, Any]) -> str:
    if metrics["coverage"] is None:
        return "no forecast has matured"
    gain = f"skill against static quantiles {percent(metrics.get('pinball_skill'), sign=True)}"
    if "pinball_ewma" in metrics:
        gain = f"skill against EWMA {percent(metrics['skill'], sign=True)}, {p_value_text(metrics['p_value'])}"
    return f"covered {metrics['coverage']:.1%} of prices {metrics['horizon']} sessions ahead; {gain}"


def signal_verdict(metrics: Mapping[str, Any]) -> Verdict:
    """Return the verdict on the signals."""
    figures = (
        f"Brier {number(metrics['brier'], 3)} against {number(metrics['brier_baseline'], 3)}, "
        f"{p_value_text(metrics['p_value'])}; calibration error {percent(metrics.get('ece'))}; "
        f"buy or sell in {percent(metrics.get('signalled'))} of sessions"
    )
    return _worded("Signal", judges.signal_verdict(metrics), figures)


def _backtest_verdict(subject: str, backtest: Backtest) -> Verdict:
    own, benchmark = backtest.stats["strategy"], backtest.stats["buy_and_hold"]
    verdict = judges.backtest_verdict(backtest.stats)
    own_return, benchmark_return = (percent(stats["total_return"], sign=True) for stats in (own, benchmark))
    figures = f"return {own_return} against {benchmark_return}"
    if verdict.code not in ("never_traded", "incomparable"):
        sharpe_interval = interval(own.get("sharpe_low"), own.get("sharpe_high"))
        figures = (
            f"{figures}; Sharpe {number(own['sharpe'])} (90 % interval {sharpe_interval}) "
            f"against {number(benchmark['sharpe'])}, "
            f"{p_value_text(own.get('excess_sharpe_p_value'))}; "
            f"deflated Sharpe {percent(own.get('deflated_sharpe'))}, trials: {count(own.get('trials'))}"
        )
    return _worded(subject, verdict, figures)


def _leakage_verdict(certificate: Mapping[str, Any]) -> Verdict:
    figures = f"leakage certificate {leakage_summary(certificate)}" if certificate else ""
    return _worded("Look-ahead", judges.leakage_verdict(certificate), figures)


def _worded(subject: str, verdict: judges.Verdict, figures: str) -> Verdict:
    return Verdict(subject, SENTENCES[f"{verdict.subject}.{verdict.code}"], figures, verdict.good)
