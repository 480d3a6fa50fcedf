"""`zenith track-record`: served forecasts beside the actual prices."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.evaluation.ledger_chain import no_entries
from zenith_core.evaluation.track_record import track_record
from zenith_core.market.listing import price_text
from zenith_core.market.tickers import validate_ticker
from zenith_core.words import counted
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.evidence import Claims, ticker_evidence
from zenith_pipelines.production.ledger import ENTRIES, FORECASTS, LEDGER
from zenith_pipelines.settings import Settings

_MAX_FORECASTS = 10
_LEGEND = "Only forecasts made before their target date count. Errors are in % of the close at the forecast's origin."


def show_track_record(ticker: str, *, as_json: bool) -> None:
    """Print the track record of a ticker. Raises InvalidTicker, or NotAvailable if it has no forecasts yet."""
    name = validate_ticker(ticker)
    store = DatasetStore(Settings().data_uri)
    ledger = store.read(LEDGER, name)
    forecasts = ledger.tables[FORECASTS]
    claims = Claims(store, {name: ticker_evidence(forecasts, ledger.tables.get(ENTRIES, no_entries()), ledger.facts)})
    evidence = {"evidence": claims.of(name, "price"), "signal_evidence": claims.of(name, "signal")}
    record = {"ticker": name, **track_record(forecasts), **evidence}
    if as_json:
        print(json.dumps(record, indent=2, allow_nan=False))
    else:
        _show(record, Console(highlight=False, markup=False))


def _show(record: dict[str, Any], console: Console) -> None:
    if any(figures["matured"] for figures in record["summary"].values()):
        console.print(_summary_table(record))
    else:
        console.print(
            f"{record['ticker']}: no forecast has matured yet. {_why_none(record['forecasts'])}", soft_wrap=True
        )
    for name, by_horizon in (("evidence", record["evidence"]), ("signal evidence", record["signal_evidence"])):
        for horizon, evidence in by_horizon.items():
            if evidence["since"]:
                console.print(f"{_sessions(horizon)} ahead, {name}: {evidence['says']}.", soft_wrap=True)
    mature = [row for row in record["forecasts"] if row["actual"] is not None]
    if mature:
        console.print(_forecast_table(mature[-_MAX_FORECASTS:]))
        console.print(_LEGEND, style="dim", soft_wrap=True)


def _why_none(forecasts: list[dict[str, Any]]) -> str:
    target_dates = [row["target_date"] for row in forecasts if row["in_the_open"] and row["actual"] is None]
    if target_dates:
        return f"The first one matures on {min(target_dates)}."
    return "None was made before its target date, because the prices are old."


def _summary_table(record: dict[str, Any]) -> Table:
    table = _table(f"{record['ticker']} · served forecasts and actual prices")
    for heading in ("sessions ahead", "matured", "in 90 % band", "error", "naive error"):
        table.add_column(heading, justify="right", no_wrap=True)
    for horizon, figures in record["summary"].items():
        shares = (_percent(figures[name], digits) for name, digits in (("coverage", 0), ("mae", 2), ("mae_naive", 2)))
        table.add_row(horizon, str(figures["matured"]), *shares)
    return table


def _forecast_table(forecasts: list[dict[str, Any]]) -> Table:
    table = _table(f"last {len(forecasts)} matured forecasts")
    for heading in ("from", "for", "forecast", "90 % band", "actual", ""):
        table.add_column(heading, no_wrap=True)
    for row in forecasts:
        forecast, lower, upper, actual = (price_text(row[name]) for name in ("forecast", "lower", "upper", "actual"))
        table.add_row(row["origin"], row["target_date"], forecast, f"{lower}–{upper}", actual, _remark(row))
    return table


def _sessions(horizon: str) -> str:
    return counted(int(horizon), "session")


def _remark(row: dict[str, Any]) -> str:
    remarks = {
        "outside": not row["lower"] <= row["actual"] <= row["upper"],
        "made too late": not row["in_the_open"],
    }
    return ", ".join(remark for remark, applies in remarks.items() if applies)


def _table(title: str) -> Table:
    return Table(title=title, box=None, padding=(0, 2, 0, 0), title_justify="left", header_style="bold")


def _percent(share: float | None, digits: int) -> str:
    return "–" if share is None else f"{share:.{digits}%}"
