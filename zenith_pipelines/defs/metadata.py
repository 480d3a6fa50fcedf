"""Metadata of materializations, for the Dagster UI: plots, date ranges, tables, links.

One function for each kind of content. Out of scope: figures that an asset computes anyway, and the look
of plots, which is in `zenith_pipelines.reports`.
"""

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dagster as dg
import pandas as pd

from zenith_core.evaluation.past_bands import in_past_bands
from zenith_core.inference import QUANTILES, PriceForecast
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.reports import forecast_plots as plots
from zenith_pipelines.reports import price_plots as market_plots
from zenith_pipelines.reports import signal_plots
from zenith_pipelines.reports.plotting import to_small_png
from zenith_pipelines.reports.verdicts import WordedVerdict
from zenith_pipelines.risk.scale_prior import priors
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandera.pandas import DataFrameSchema

    from zenith_core.backtesting.backtest import Backtest

OWNERS = ["team:quant"]
_FIGURES = ("candidate", "champion", "change", "p_worse", "origins", "newer", "brier", "brier_baseline", "ece", "rows")

_BOARD = {
    "value": "loss",
    "naive": "naive loss",
    "skill": "skill",
    "p_value": "p against naive",
    "p_value_answering": "p against the answering model",
    "coverage": "in 90 % band",
    "ece": "calibration error",
    "train_cpu_seconds": "CPU s of training",
    "own_rows": "own rows",
}

Metadata = dict[str, Any]


def materialized(*, metadata: Mapping[str, Any], **result: Any) -> dg.MaterializeResult[Any]:
    """Return the result of an asset, with plots first and rounded figures."""
    pictures = {name: entry for name, entry in metadata.items() if _is_picture(entry)}
    figures = {name: _rounded(entry) for name, entry in metadata.items() if name not in pictures}
    return dg.MaterializeResult(metadata=pictures | figures, **result)


def check_result(*, metadata: Mapping[str, Any], **result: Any) -> dg.AssetCheckResult:
    """Return the result of a check. Its figures are texts: the UI would plot numbers as a line through all tickers."""
    return dg.AssetCheckResult(metadata={name: _as_text(entry) for name, entry in metadata.items()}, **result)


def _is_picture(entry: Any) -> bool:
    return isinstance(entry, dg.MarkdownMetadataValue) and "data:image" in (entry.md_str or "")


def _rounded(entry: Any) -> Any:
    """Round a number to four decimals, or to four digits if it is below 1."""
    if not isinstance(entry, float) or not math.isfinite(entry):
        return entry
    return round(entry, 4) if abs(entry) >= 1 else float(f"{entry:.4g}")


def _as_text(entry: Any) -> Any:
    is_number = isinstance(entry, int | float) and not isinstance(entry, bool)
    return str(_rounded(entry)) if is_number else entry


def date_range(dates: pd.Index) -> Metadata:
    """Return the number of rows, and the first and last day of a session index, without rows that have no date."""
    days = pd.DatetimeIndex(dates).dropna()
    ends = {"first": str(days.min().date()), "last": str(days.max().date())} if len(days) else {}
    return {"dagster/row_count": len(dates), **ends}


def column_schema(schema: "DataFrameSchema") -> Metadata:
    """Return the columns of a pandera table, with types and constraints, as the UI shows them."""
    columns = [
        dg.TableColumn(
            name=str(name),
            type=str(column.dtype),
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable, unique=column.unique, other=[str(check) for check in column.checks]
            ),
        )
        for name, column in schema.columns.items()
        if not column.regex
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def prices_plot(cleaned: Dataset) -> Metadata:
    """Plot closes, flags and volume of `cleaned_prices`; empty for a table without rows."""
    prices = cleaned.tables["prices"]
    return _plot("close and volume", market_plots.close_and_volume(prices)) if len(prices) else {}


def features_plot(features: Dataset) -> Metadata:
    """Plot the best-known indicators; empty for a table without rows."""
    return _plot("Bollinger Bands and RSI", market_plots.bands_and_rsi(features.table)) if len(features.table) else {}


def price_model_plots(evidence: pd.DataFrame, metrics: Mapping[str, Any], cleaned: Dataset) -> Metadata:
    """Plot walk-forward forecasts beside the actual closes, and skill by horizon."""
    fan = plots.price_fan(cleaned.tables["prices"], evidence, pd.DataFrame(), metrics["horizon"])
    return _plot("forecasts", fan) | _plot("skill by horizon", plots.skill_by_horizon(dict(metrics)))


def signal_model_plots(evidence: pd.DataFrame, metrics: Mapping[str, Any], cleaned: Dataset) -> Metadata:
    """Plot the price with walk-forward signals, and the reliability of the probabilities."""
    signals = evidence.set_index("date")["signal"]
    plot = market_plots.price_with_signals(cleaned.tables["prices"], signals)
    return _plot("price with signals", plot) | _plot("reliability", signal_plots.reliability(metrics))


def equity_plot(backtest: "Backtest", name: str) -> Metadata:
    """Plot equity and drawdown of the strategy beside buy-and-hold."""
    return _plot("equity", plots.equity_and_drawdown(backtest, name))


def fan_plot(prices: pd.DataFrame, model: Dataset, snapshot: ServingSnapshot, forecast: PriceForecast) -> Metadata:
    """Plot the latest forecast of a price model, and its walk-forward forecasts in the bands that are served."""
    horizon = model.facts["metrics"]["horizon"]
    past = model.table[model.table["horizon"] == horizon]
    if snapshot.distribution:
        past = in_past_bands(past, prices, priors())
    latest = pd.DataFrame(
        {
            "date": pd.DatetimeIndex(snapshot.next_sessions),
            "price": forecast.price,
            "lower": forecast.lower,
            "q25": forecast.quantiles[:, QUANTILES.index(0.25)],
            "q75": forecast.quantiles[:, QUANTILES.index(0.75)],
            "upper": forecast.upper,
        }
    )
    return _plot("forecast fan", plots.price_fan(prices, past, latest, horizon))


def verdicts_list(verdicts: Iterable[WordedVerdict]) -> Metadata:
    """Return the verdicts of the report as a markdown list. A table's columns would be too narrow in Dagster's UI."""
    lines = [
        f"- {'✓' if verdict.good else '✗'} **{verdict.subject}:** {verdict.sentence}"
        + (f" ({verdict.figures})" if verdict.figures else "")
        for verdict in verdicts
    ]
    return {"verdicts": dg.MetadataValue.md("\n".join(lines))}


def version_link(settings: Settings, name: str, version: int) -> Metadata:
    """Link the version's page on the MLflow server; for a SQLite file, give the command that starts one."""
    if settings.tracking_uri.startswith("http"):
        address = f"{settings.tracking_uri.rstrip('/')}/#/models/{name}/versions/{version}"
        return {"mlflow": dg.MetadataValue.url(address)}
    if not settings.tracking_uri.startswith("sqlite"):
        return {}  # the address of a database may hold a password
    command = f"mlflow ui --backend-store-uri {settings.tracking_uri} --artifacts-destination {settings.artifact_root}"
    return {"mlflow": dg.MetadataValue.md(f"{name} version {version}: `{command}`, then Models")}


def page_links(settings: Settings, ticker: str) -> Metadata:
    """Link the ticker's page and its report in the service."""
    page, name = settings.zenith_page_url, quote(ticker)
    return {
        "page": dg.MetadataValue.url(f"{page}/#{name}"),
        "report page": dg.MetadataValue.url(f"{page}/reports/{name}"),
    }


def decisions_metadata(settings: Settings, decisions: Mapping[str, Mapping[str, Any]]) -> Metadata:
    """Return the promotion decisions by model kind: result, link, table of gates, and figures that the UI plots."""
    metadata: Metadata = {}
    for kind, decision in decisions.items():
        values = {key: decision[key] for key in ("model", "version", "promoted", "production", "reason")}
        values |= version_link(settings, decision["model"], decision["version"])
        values |= {"gates": dg.MetadataValue.md(gates_table(decision)), **gate_figures(decision)}
        metadata |= {f"{kind}/{name}": value for name, value in values.items()}
    return metadata


def gates_table(decision: Mapping[str, Any]) -> str:
    """Return a promotion decision as markdown: a headline, and a row for each gate."""
    standing = f" ({decision['standing']})" if decision["standing"] else ""
    head = f"**{decision['model']} version {decision['version']}: {decision['outcome']}**{standing}; "
    head += f"in Production: {decision['production'] or 'nothing'}, before: {decision['previous'] or 'nothing'}"
    rows = [
        f"| {gate['gate']} | {'passed' if gate['passed'] else '**refused**'} | {_cell(gate['says'])} |"
        for gate in decision["gates"]
    ]
    return "\n".join([head, "", "| gate | verdict | evidence |", "|---|---|---|", *rows])


def gate_figures(decision: Mapping[str, Any]) -> dict[str, float]:
    """Return `<gate>/<figure>` for each number of each gate."""
    return {
        f"{gate['gate']}/{name}": value
        for gate in decision["gates"]
        for name, value in gate["figures"].items()
        if name in _FIGURES and isinstance(value, int | float)
    } | {
        f"{gate['gate']}/at_{coverage['horizon']}": coverage["candidate"]
        for gate in decision["gates"]
        for coverage in gate["figures"].get("horizons", ())
    }


def leaderboard_metadata(boards: Mapping[str, Mapping[str, Any]]) -> Metadata:
    """Return the leaderboard of each task as a table, and its number of common rows."""
    metadata: Metadata = {}
    for task, board in boards.items():
        rows = [
            f"| {row['model_type']}{' (answers)' if row['answers'] else ''} | {row['version'] or '–'} "
            f"| {' | '.join(_figure(row[name]) for name in _BOARD)} | {_cell(row['note'] or '')} |"
            for row in board["models"]
        ]
        head = f"| model | version | {' | '.join(_BOARD.values())} | |"
        table = "\n".join([head, "|---" * (len(_BOARD) + 3) + "|", *rows])
        metadata |= {f"{task}/rows": board["rows"], f"{task}/leaderboard": dg.MetadataValue.md(table)}
    return metadata


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plot(name: str, figure: "Figure") -> Metadata:
    image = b64encode(to_small_png(figure)).decode()
    return {name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{image})")}
