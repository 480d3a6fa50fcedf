"""Render the report of one ticker as one HTML page that works offline, in light and dark."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from zenith_core.features.leakage import leakage_summary
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import MODEL_KINDS, title_of
from zenith_pipelines.reports import forecast_plots as plots
from zenith_pipelines.reports import methodology as method
from zenith_pipelines.reports import signal_plots, tables
from zenith_pipelines.reports.formatting import count, day, number, percent, price
from zenith_pipelines.reports.plotting import to_svg
from zenith_pipelines.reports.report_data import ReportData
from zenith_pipelines.reports.verdicts import verdicts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def report_plots(report: ReportData) -> "dict[str, Figure]":
    """Return the report's plots by name; `plotting.to_svg` and `plotting.to_png` turn them into files."""
    horizon = report.price_metrics["horizon"]
    return {
        "price_fan": plots.price_fan(report.prices, report.forecasts, report.latest, horizon),
        "skill_by_horizon": plots.skill_by_horizon(report.price_metrics),
        "coverage_by_horizon": plots.coverage_by_horizon(report.band_metrics),
        "confusion_matrix": signal_plots.confusion_matrix(report.signal_metrics),
        "reliability": signal_plots.reliability(report.signal_metrics),
        "class_probabilities": signal_plots.class_probabilities(report.signals),
        "feature_importances": signal_plots.feature_importances(report.signal_study.get("importances", {})),
        **{
            f"{kind}_equity": plots.equity_and_drawdown(backtest, f"{MODEL_KINDS[kind].noun} strategy")
            for kind, backtest in report.backtests.items()
        },
    }


def render_report(report: ReportData, figures: "Mapping[str, Figure]") -> str:
    """Render the page with its `report_plots`, with embedded styles, no scripts and no external resources."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("zenith_pipelines", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": number, "price": price, "count": count, "day": day}
    page = environment.get_template("report.html.j2").render(
        report=report,
        last=_last(report.prices),
        verdicts=verdicts(report),
        headline=_headline(report),
        shown=tables.horizons_shown(report.price_metrics),
        titles={kind: title_of(kind) for kind in report.backtests},
        signal_title=title_of(ANSWERS.of(report.ticker)["signal"]),
        leakage=leakage_summary(report.leakage) if report.leakage else "",
        tables=tables,
        method=method,
        figures={name: Markup(to_svg(figure, name.replace("_", " "))) for name, figure in figures.items()},
    )
    return page.replace(" %", "\N{NO-BREAK SPACE}%")


def _last(prices: pd.DataFrame) -> dict[str, Any]:
    change = prices["close"].iloc[-1] / prices["close"].iloc[-2] - 1 if len(prices) > 1 else None
    return {"close": prices["close"].iloc[-1], "date": prices.index[-1], "change": change, "first": prices.index[0]}


def _headline(report: ReportData) -> dict[str, Any] | None:
    """Return the latest forecast at the headline horizon; None if there is none."""
    horizon = report.price_metrics["horizon"]
    if len(report.latest) < horizon:
        return None
    row = report.latest.iloc[horizon - 1]
    change = row["price"] / report.prices["close"].iloc[-1] - 1
    return {"horizon": horizon, "date": pd.Timestamp(row["date"]), "change": change, **row.drop("date")}
