"""The report of one ticker as one HTML page that opens without a network, in light and dark."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from zenith_core.backtest import Backtest
from zenith_core.disclaimer import DISCLAIMER
from zenith_pipelines.report import plots
from zenith_pipelines.report.drawing import to_svg
from zenith_pipelines.report.verdicts import verdicts
from zenith_pipelines.report.words import count, day, number, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRADES_SHOWN = 20
_STATISTICS = (  # key, words, how to show it
    ("total_return", "Total return", "share"),
    ("annual_return", "Return a year", "share"),
    ("volatility", "Volatility a year", "share"),
    ("sharpe", "Sharpe ratio", "number"),
    ("sortino", "Sortino ratio", "number"),
    ("calmar", "Calmar ratio", "number"),
    ("max_drawdown", "Deepest drawdown", "share"),
    ("max_drawdown_sessions", "Longest time below a peak, sessions", "count"),
    ("exposure", "Time in the stock", "share"),
    ("trades", "Closed trades", "count"),
    ("hit_rate", "Trades that gained", "share"),
    ("profit_factor", "Gains over losses", "number"),
    ("turnover", "Turnover a year", "number"),
)


@dataclass(frozen=True)
class ReportInput:
    """All that the page shows.

    prices:          cleaned prices; the last row is the forecast origin
    forecasts:       walk-forward price forecasts
    signals:         walk-forward signals
    price_metrics:   as `zenith_core.metrics.price_metrics` returns them; signal_metrics likewise
    latest:          date, price, lower, upper of the sessions to come; may be empty
    lineage:         what the models and figures were made from, by name, in the order to show
    """

    ticker: str
    currency: str
    prices: pd.DataFrame
    forecasts: pd.DataFrame
    signals: pd.DataFrame
    price_metrics: dict[str, Any]
    signal_metrics: dict[str, Any]
    lstm_backtest: Backtest
    ensemble_backtest: Backtest
    latest: pd.DataFrame
    lineage: dict[str, Any] = field(default_factory=dict)
    disclaimer: str = DISCLAIMER


def report_plots(report: ReportInput) -> "dict[str, Figure]":
    """The report's plots by name; `to_svg` and `to_png` of `report.drawing` turn them into files."""
    horizon = report.price_metrics["horizon"]
    return {
        "price_fan": plots.price_fan(report.prices, report.forecasts, report.latest, horizon),
        "skill_by_horizon": plots.skill_by_horizon(report.price_metrics),
        "coverage_by_horizon": plots.coverage_by_horizon(report.price_metrics),
        "confusion_matrix": plots.confusion_matrix(report.signal_metrics),
        "class_probabilities": plots.class_probabilities(report.signals),
        "lstm_equity": plots.equity_and_drawdown(report.lstm_backtest, "LSTM strategy"),
        "ensemble_equity": plots.equity_and_drawdown(report.ensemble_backtest, "ensemble strategy"),
    }


def render_report(report: ReportInput) -> str:
    """The page: styles and plots inside it, no script, nothing loaded from elsewhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("zenith_pipelines", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"share": share, "number": number, "count": count, "day": day}
    figures = {name: Markup(to_svg(figure, name.replace("_", " "))) for name, figure in report_plots(report).items()}
    return environment.get_template("report.html.j2").render(
        report=report,
        last=_last(report.prices),
        verdicts=verdicts(report),
        price_rows=_price_rows(report.price_metrics),
        statistics=_statistics(report),
        trades=[("LSTM", _trades(report.lstm_backtest)), ("Ensemble", _trades(report.ensemble_backtest))],
        headline=_headline(report),
        figures=figures,
    )


def _last(prices: pd.DataFrame) -> dict[str, Any]:
    change = prices["close"].iloc[-1] / prices["close"].iloc[-2] - 1 if len(prices) > 1 else None
    return {"close": prices["close"].iloc[-1], "date": prices.index[-1], "change": change, "first": prices.index[0]}


def _headline(report: ReportInput) -> dict[str, Any] | None:
    """The latest forecast at the headline horizon, or None if there is none."""
    horizon = report.price_metrics["horizon"]
    if len(report.latest) < horizon:
        return None
    row = report.latest.iloc[horizon - 1]
    change = row["price"] / report.prices["close"].iloc[-1] - 1
    return {"horizon": horizon, "date": pd.Timestamp(row["date"]), "change": change, **row.drop("date")}


def _price_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a few horizons, with what always guessing the more frequent direction would have got."""
    shown = [text for text in ("1", "5", "10", "20", "30") if text in metrics["by_horizon"]]
    return [{"horizon": text, **metrics["by_horizon"][text]} for text in shown or list(metrics["by_horizon"])]


def _statistics(report: ReportInput) -> list[tuple[str, list[str]]]:
    """(words, [LSTM, buy-and-hold, ensemble, buy-and-hold]) for each statistic; each beside its own period's."""
    columns = [
        backtest.stats[who]
        for backtest in (report.lstm_backtest, report.ensemble_backtest)
        for who in ("strategy", "buy_and_hold")
    ]
    show = {"share": share, "number": number, "count": count}
    return [(words, [show[kind](stats[key]) for stats in columns]) for key, words, kind in _STATISTICS]


def _trades(backtest: Backtest) -> list[dict[str, Any]]:
    """The last trades, newest first."""
    rows = backtest.trades.iloc[::-1].head(TRADES_SHOWN)
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]
