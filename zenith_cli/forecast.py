"""`zenith forecast`: the forecasts of many tickers as one table."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_cli.export import write_table
from zenith_cli.predict import open_predictor, print_warnings, warnings_held
from zenith_core.errors import NotAvailable, UserError
from zenith_core.market.listing import price_text
from zenith_core.market.tickers import parse_tickers
from zenith_core.names import ALERT_DAYS, DISCLAIMER
from zenith_core.words import counted
from zenith_pipelines.patience import waiting_for
from zenith_serving.prediction.forecast_table import forecast_row
from zenith_serving.prediction.predictor import Predictor
from zenith_serving.schemas.forecasts import ForecastRow, ForecastTable, TickerAlert
from zenith_serving.schemas.predictions import MAX_QUANTILES

WIDTH, LEVEL_WIDTH = 92, 11  # of the table, and of a level's column


def forecast_tickers(
    tickers: Sequence[str], horizon: int, quantiles: str | None, output: Path | None, *, as_json: bool
) -> int:
    """Print or write a row for each ticker, by default for all that have data; return the exit status.

    The status is 1 if no ticker has a forecast. Raises NotAvailable if there is no ticker, InvalidTicker, and UserError
    for levels and files that cannot be.
    """
    levels = parse_levels(quantiles)
    with warnings_held() as warnings:
        predictor = open_predictor()
        names = parse_tickers(",".join(tickers)) if tickers else predictor.snapshots.tickers()
        if not names:
            raise NotAvailable("no forecasts yet: `zenith run` makes them")
        rows = [_row(predictor, name, horizon, levels) for name in _with_progress(names)]
    if any(row.price is not None for row in rows):
        print_warnings(warnings)
    if output:
        write_table(_frame(rows, levels), output)
        print(f"wrote the forecasts of {counted(len(rows), 'ticker')} to {output}", file=sys.stderr)
    elif as_json:
        print(ForecastTable(horizon=horizon, forecasts=rows, disclaimer=DISCLAIMER).model_dump_json(indent=2))
    else:
        _show(rows, horizon, levels)
    return int(all(row.price is None for row in rows))


def _row(predictor: Predictor, ticker: str, horizon: int, levels: Sequence[float]) -> ForecastRow:
    with waiting_for("MLFLOW_TRACKING_URI"):
        row = forecast_row(predictor, ticker, horizon, levels)
    if row.price is None and ticker not in predictor.snapshots.tickers():  # REST must not echo input, a command may
        return row.model_copy(update={"problem": f"no predictions yet: `zenith run --tickers {ticker}` makes them"})
    return row


def parse_levels(text: str | None) -> list[float]:
    """Parse `0.05,0.95`. Raises UserError."""
    try:
        levels = [float(part) for part in (text or "").split(",") if part.strip()]
    except ValueError:
        levels = [0.0]
    if not all(0 < level < 1 for level in levels) or len(levels) > MAX_QUANTILES:
        raise UserError(f"--quantiles: expected up to {MAX_QUANTILES} levels between 0 and 1, such as 0.05,0.95")
    return levels


def _with_progress(tickers: list[str]) -> Iterable[str]:
    console = Console(stderr=True)
    return track(tickers, "forecasting", console=console, disable=not console.is_terminal, transient=True)


def _frame(rows: Sequence[ForecastRow], levels: Sequence[float]) -> pd.DataFrame:
    frame = pd.DataFrame([row.cells(levels) for row in rows])
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]), target_date=pd.to_datetime(frame["target_date"]))


def _show(rows: Sequence[ForecastRow], horizon: int, levels: Sequence[float]) -> None:
    console = Console(width=max(Console().width, WIDTH + LEVEL_WIDTH * len(levels)))  # cells are not broken into lines
    title = "the next session" if horizon == 1 else f"{horizon} sessions ahead"
    names = ["ticker", "close", "forecast", "change", "90 % interval", *(f"{level:.4g}" for level in levels)]
    table = Table(*names, "VaR 5 %", "signal", title=title, box=SIMPLE_HEAD)
    forecasts = [row for row in rows if row.price is not None]
    for row in forecasts:
        table.add_row(*_cells(row, levels))
    if forecasts:
        console.print(table)
        better = [row.ticker for row in forecasts if row.evidence and row.evidence.discovered]
        console.print(f"discovered to be better than an unchanged price: {', '.join(better) or 'none'}", markup=False)
    if stale := [f"{row.ticker} ({row.as_of})" for row in rows if row.stale]:
        console.print(f"stale, with the last day of the data: {', '.join(stale)}", markup=False, soft_wrap=True)
    if alerts := [f"{row.ticker} ({', '.join(map(_alert, row.alerts))})" for row in rows if row.alerts]:
        console.print(f"alerts of the last {ALERT_DAYS} days: {', '.join(alerts)}", markup=False, soft_wrap=True)
    for row in rows:
        if row.problem:
            console.print(f"{row.ticker}: {row.problem}", markup=False, soft_wrap=True)
    Console().print(DISCLAIMER, style="dim")


def _cells(row: ForecastRow, levels: Sequence[float]) -> list[str]:
    return [
        row.ticker,
        _price(row.close),
        _price(row.price),
        "–" if row.change_pct is None else f"{row.change_pct:+.2f} %",
        f"{_price(row.lower)} to {_price(row.upper)}",
        *(_price(row.quantiles.get(str(level))) for level in levels),
        "–" if row.value_at_risk is None else f"{100 * row.value_at_risk:.2f} %",
        row.signal or "–",
    ]


def _alert(alert: TickerAlert) -> str:
    return f"{alert.kind.replace('_', ' ')} on {alert.at:%Y-%m-%d}"


def _price(value: float | None) -> str:
    return "–" if value is None else price_text(value)
