"""What a person sees of an asset in the Dagster UI without opening a log: plots, spans, links.

A function for each kind of dataset, from its content to Dagster's metadata. What does not belong here: figures that
an asset computes anyway, and how a plot looks, which is `zenith_pipelines.reports`'s.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from zenith_core.evaluation.metrics import HEADLINE_HORIZON
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.reports import forecast_plots as plots
from zenith_pipelines.reports import price_plots as market_plots
from zenith_pipelines.reports import signal_plots
from zenith_pipelines.reports.plotting import to_small_png
from zenith_pipelines.reports.verdicts import Verdict
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zenith_core.backtesting.backtest import Backtest

OWNERS = ["team:quant"]

Metadata = dict[str, Any]


def date_range(dates: pd.Index) -> Metadata:
    """Rows, first and last day of what is indexed by sessions; rows without a date are left out of the span."""
    days = pd.DatetimeIndex(dates).dropna()
    ends = {"first": str(days.min().date()), "last": str(days.max().date())} if len(days) else {}
    return {"dagster/row_count": len(dates), **ends}


def prices_plot(cleaned: Dataset) -> Metadata:
    """Closes, flags and volume of `cleaned_prices`; nothing for a table without rows."""
    prices = cleaned.tables["prices"]
    return _plot("close and volume", market_plots.close_and_volume(prices)) if len(prices) else {}


def features_plot(features: Dataset) -> Metadata:
    """The indicators that people know best."""
    return _plot("Bollinger Bands and RSI", market_plots.bands_and_rsi(features.table)) if len(features.table) else {}


def price_model_plots(evidence: pd.DataFrame, metrics: Mapping[str, Any], cleaned: Dataset) -> Metadata:
    """Walk-forward forecasts against what came, and skill by horizon."""
    fan = plots.price_fan(cleaned.tables["prices"], evidence, pd.DataFrame(), HEADLINE_HORIZON)
    return _plot("forecasts", fan) | _plot("skill by horizon", plots.skill_by_horizon(dict(metrics)))


def signal_model_plots(evidence: pd.DataFrame, metrics: Mapping[str, Any], cleaned: Dataset) -> Metadata:
    """The price with walk-forward signals, and whether the probabilities are honest."""
    signals = evidence.set_index("date")["signal"]
    marked = market_plots.price_with_signals(cleaned.tables["prices"], signals)
    return _plot("price with signals", marked) | _plot("reliability", signal_plots.reliability(metrics))


def equity_plot(backtest: "Backtest", name: str) -> Metadata:
    """The strategy's equity and drawdown beside buy-and-hold."""
    return _plot("equity", plots.equity_and_drawdown(backtest, name))


def fan_plot(figure: "Figure") -> Metadata:
    """The latest forecast fan, of the report."""
    return _plot("forecast fan", figure)


def verdicts_table(found: Iterable[Verdict]) -> Metadata:
    """The report's verdicts in plain words."""
    lines = [f"| {'+' if one.good else '–'} | {one.subject} | {one.sentence} | {one.figures} |" for one in found]
    return {"verdicts": dg.MetadataValue.md("\n".join(["| | | verdict | figures |", "|---|---|---|---|", *lines]))}


def version_link(settings: Settings, name: str, version: int) -> Metadata:
    """Where a model version is looked at: its page on the MLflow server; of a SQLite file, how to start one."""
    if settings.tracking_uri.startswith("http"):
        address = f"{settings.tracking_uri.rstrip('/')}/#/models/{name}/versions/{version}"
        return {"mlflow": dg.MetadataValue.url(address)}
    if not settings.tracking_uri.startswith("sqlite"):
        return {}  # a database's address may hold a password
    command = f"mlflow ui --backend-store-uri {settings.tracking_uri}"
    return {"mlflow": dg.MetadataValue.md(f"{name} version {version}: `{command}`, then Models")}


def _plot(name: str, figure: "Figure") -> Metadata:
    image = b64encode(to_small_png(figure)).decode()
    return {name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{image})")}
