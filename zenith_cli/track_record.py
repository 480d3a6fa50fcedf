"""`zenith track-record`: served forecasts against what came."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.evaluation.track_record import track_record
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.settings import Settings

_SHOWN = 10  # forecasts
_LEGEND = (
    "Counted are forecasts made before the day they are for. Errors are in % of the close that they were made from."
)


def show_track_record(ticker: str, *, as_json: bool) -> None:
    """Print the track record of a ticker. Raises NotAvailable if nothing was forecast for it yet, or InvalidTicker."""
    name = validate_ticker(ticker)
    record = {"ticker": name, **track_record(DatasetStore(Settings().data_uri).read("forecast_ledger", name).table)}
    if as_json:
        print(json.dumps(record, indent=2, allow_nan=False))
    else:
        _show(record, Console(highlight=False))


def _show(record: dict[str, Any], console: Console) -> None:
    if any(figures["matured"] for figures in record["summary"].values()):
        console.print(_summary_table(record))
    else:
        console.print(f"{record['ticker']}: nothing has matured yet. {_why_not(record['forecasts'])}", soft_wrap=True)
    matured = [row for row in record["forecasts"] if row["actual"] is not None]
    if matured:
        console.print(_forecast_table(matured[-_SHOWN:]))
        console.print(_LEGEND, style="dim", soft_wrap=True)


def _why_not(forecasts: list[dict[str, Any]]) -> str:
    awaited = [row["target_date"] for row in forecasts if row["in_the_open"] and row["actual"] is None]
    if awaited:
        return f"The first forecast to be scored is for {min(awaited)}."
    return "No forecast was made before the day it is for: the prices are old ones."


def _summary_table(record: dict[str, Any]) -> Table:
    table = _table(f"{record['ticker']} · served forecasts against what came")
    for heading in ("sessions ahead", "matured", "in 90 % band", "error", 'error of "it stays"'):
        table.add_column(heading, justify="right", no_wrap=True)
    for horizon, figures in record["summary"].items():
        shares = (_percent(figures[name], digits) for name, digits in (("coverage", 0), ("mae", 2), ("mae_naive", 2)))
        table.add_row(horizon, str(figures["matured"]), *shares)
    return table


def _forecast_table(forecasts: list[dict[str, Any]]) -> Table:
    table = _table(f"the last {len(forecasts)} that matured")
    for heading in ("from", "for", "forecast", "90 % band", "came", ""):
        table.add_column(heading, no_wrap=True)
    for row in forecasts:
        forecast, lower, upper, came = (f"{row[name]:.2f}" for name in ("forecast", "lower", "upper", "actual"))
        table.add_row(row["origin"], row["target_date"], forecast, f"{lower}–{upper}", came, _remark(row))
    return table


def _remark(row: dict[str, Any]) -> str:
    said = {
        "outside": not row["lower"] <= row["actual"] <= row["upper"],
        "made when it was known": not row["in_the_open"],
    }
    return ", ".join(words for words, holds in said.items() if holds)


def _table(title: str) -> Table:
    return Table(title=title, box=None, padding=(0, 2, 0, 0), title_justify="left", header_style="bold")


def _percent(share: float | None, digits: int) -> str:
    return "–" if share is None else f"{share:.{digits}%}"
