"""What the figures amount to, in plain words: a model without skill is said to have none."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zenith_core.backtest import Backtest
from zenith_pipelines.report.words import number, share

if TYPE_CHECKING:
    from zenith_pipelines.report.page import ReportInput

_SAME_SHARPE = 0.005  # equal as printed


@dataclass(frozen=True)
class Verdict:
    """One sentence on one thing, the figures it rests on, and whether it speaks for the model."""

    subject: str
    sentence: str
    figures: str
    good: bool


def verdicts(report: "ReportInput") -> list[Verdict]:
    """The verdicts on the price model, its bands, the signal model, and both backtests."""
    return [
        _price_verdict(report.price_metrics),
        _band_verdict(report.price_metrics),
        _signal_verdict(report.signal_metrics),
        _backtest_verdict("LSTM backtest", report.lstm_backtest),
        _backtest_verdict("Ensemble backtest", report.ensemble_backtest),
    ]


def _price_verdict(metrics: dict[str, Any]) -> Verdict:
    good = metrics["beats_naive"]
    sentence = f"{'Better' if good else 'No better'} than assuming that the price stays where it is"
    skill, p_value = share(metrics["skill"], sign=True), number(metrics["p_value"])
    significant = sum(row["beats_naive"] for row in metrics["by_horizon"].values())
    figures = (
        f"{metrics['horizon']} sessions ahead: skill {skill}, p = {p_value}; "
        f"significant at {significant} of {len(metrics['by_horizon'])} horizons"
    )
    return Verdict("Price forecast", sentence, figures, good)


def _band_verdict(metrics: dict[str, Any]) -> Verdict:
    coverage = metrics["coverage"]
    if coverage is None:
        return Verdict("90 % band", "Not scored yet", "no forecast has come due", False)
    good = 0.87 <= coverage <= 0.93
    sentence = "Keeps its promise" if good else "Too narrow" if coverage < 0.87 else "Wider than it says"
    return Verdict("90 % band", sentence, f"held {coverage:.1%} of prices {metrics['horizon']} sessions ahead", good)


def _signal_verdict(metrics: dict[str, Any]) -> Verdict:
    good = metrics["beats_naive"]
    sentence = "Better" if good else "No better"
    figures = (
        f"Brier {number(metrics['brier'], 3)} against {number(metrics['brier_baseline'], 3)}, "
        f"p = {number(metrics['p_value'])}"
    )
    return Verdict("Signal", f"{sentence} than the historical frequency of each class", figures, good)


def _backtest_verdict(subject: str, backtest: Backtest) -> Verdict:
    own, held = backtest.stats["strategy"], backtest.stats["buy_and_hold"]
    figures = (
        f"return {share(own['total_return'], sign=True)} against {share(held['total_return'], sign=True)}, "
        f"Sharpe {number(own['sharpe'])} against {number(held['sharpe'])}; one history, not tested for chance"
    )
    if own["sharpe"] is None or held["sharpe"] is None:
        return Verdict(subject, "Nothing to compare: no trade, or no session after one", figures, False)
    ahead = own["sharpe"] - held["sharpe"]
    compared = "As much" if abs(ahead) < _SAME_SHARPE else "More" if ahead > 0 else "Less"
    than = "as" if compared == "As much" else "than"
    return Verdict(
        subject, f"{compared} return for its risk {than} buying and holding, after costs", figures, compared == "More"
    )
