"""The verdicts of a report in plain words, as its page has them in English."""

from dataclasses import dataclass

from zenith_core.model_kinds.table import title_of
from zenith_core.report.document import Report, Verdict
from zenith_core.words import word

NOTHING = "–"


@dataclass(frozen=True)
class WordedVerdict:
    """One sentence on one subject, its figures, and `good` if it favours the model."""

    subject: str
    sentence: str
    figures: str
    good: bool


def worded_verdicts(report: Report) -> list[WordedVerdict]:
    """Return the verdicts of a report in the order that it shows them."""
    return [
        WordedVerdict(
            subject=word("en", f"verdict.{one.subject}", model=title_of(one.model_type) if one.model_type else ""),
            sentence=word("en", f"verdict.{one.subject}.{one.code}"),
            figures=_figures(report, one),
            good=one.good,
        )
        for one in report.verdicts
    ]


def _figures(report: Report, verdict: Verdict) -> str:
    """Return the main figures behind a verdict."""
    metrics = {model.task: model.metrics for model in report.models if model.answers}
    if verdict.subject == "price":
        price = metrics["price"]
        figures = {"skill": _percent(price["skill"], "+"), "p": price["p_value"]}
        return word("en", "verdict.figures.price", n=price["horizon"], **figures)
    if verdict.subject == "band":
        share = _percent(report.band["coverage"])
        return word("en", "verdict.figures.band", n=report.band["horizon"], share=share)
    if verdict.subject == "signal":
        own = metrics["signal"]
        figures = {"brier": _number(own["brier"], 3), "baseline": _number(own["brier_baseline"], 3)}
        figures |= {"p": own["p_value"], "share": _percent(own.get("signalled"))}
        return word("en", "verdict.figures.signal", **figures)
    if verdict.model_type:
        stats = report.backtests[verdict.model_type].stats
        own, held = stats["strategy"], stats["buy_and_hold"]
        figures = {"own": _percent(own["total_return"], "+"), "held": _percent(held["total_return"], "+")}
        figures |= {"sharpe": _number(own["sharpe"]), "sharpe_held": _number(held["sharpe"])}
        return word("en", "verdict.figures.backtest", **figures)
    return ""


def _percent(value: float | None, sign: str = "") -> str:
    return NOTHING if value is None else f"{value:{sign}z.1%}"


def _number(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:z.{digits}f}"
