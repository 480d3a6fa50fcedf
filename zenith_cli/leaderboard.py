"""`zenith leaderboard`: all kinds of model of a task on the same rows."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from zenith_core.errors import NotAvailable
from zenith_core.market.tickers import validate_ticker
from zenith_core.names import ALL_TICKERS, HEADLINE_HORIZON, TRIALS, UNIVERSE_LEDGER
from zenith_core.words import counted, p_value
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.evidence import Claims
from zenith_pipelines.production.leaderboard import LEADERBOARD
from zenith_pipelines.settings import Settings

_LEGEND = """loss, naive: out of sample, on the rows that all models of the task have in
common; mean absolute error of prices, or Brier score of signals. skill: against
the naive forecast, * if discovered: the evidence makes a claim. p: that the
model is no better than the one that answers (ZENITH_ANSWERS). CPU s: of the
training. rows: its own. DSR: probability that the Sharpe ratio of the newest
backtest is above the best that luck gives among all trials of all tickers."""


def show_leaderboard(ticker: str | None, *, as_json: bool) -> None:
    """Print the leaderboards of one ticker, or of all. Raises NotAvailable or InvalidTicker."""
    store = DatasetStore(Settings().data_uri)
    tickers = store.tickers(LEADERBOARD) if ticker is None else [validate_ticker(ticker)]
    if not tickers:
        raise NotAvailable("no leaderboard yet: `zenith run` makes one for each ticker")
    claims = Claims(store)
    trials = store.facts(TRIALS, ALL_TICKERS) if store.exists(TRIALS, ALL_TICKERS) else {}
    boards = {name: _with_evidence(name, store.facts(LEADERBOARD, name)["tasks"], claims, trials) for name in tickers}
    if as_json:
        print(json.dumps(boards, indent=2, allow_nan=False))
    else:
        _show(store, boards, trials, Console(highlight=False, markup=False))


def _with_evidence(ticker: str, tasks: dict[str, Any], claims: Claims, trials: Mapping[str, Any]) -> dict[str, Any]:
    """Return the boards with the evidence of the kind that answers as it is now, and the backtest of each kind."""
    backtests = trials.get("tickers", {}).get(ticker, {})
    for board in tasks.values():
        for row in board["models"]:
            row["evidence"] = claims.of_kind(ticker, row["model_type"], board["horizon"] or HEADLINE_HORIZON)
            row["backtest"] = backtests.get(row["model_type"])
    return tasks


def _show(store: DatasetStore, boards: dict[str, dict[str, Any]], trials: Mapping[str, Any], console: Console) -> None:
    for ticker, tasks in boards.items():
        for task, board in tasks.items():
            console.print(_table(ticker, task, board))
            for row in board["models"]:
                if row["note"]:
                    console.print(f"{row['model_type']}: {row['note']}", style="dim", soft_wrap=True)
                if row["evidence"]:
                    console.print(f"{row['model_type']}, evidence: {row['evidence']['says']}.", soft_wrap=True)
    if trials.get("tickers"):
        console.print(_best(trials), soft_wrap=True)
    for line in _together(store):
        console.print(line, soft_wrap=True)
    console.print(_LEGEND, style="dim")


def _together(store: DatasetStore) -> list[str]:
    """Return a line for each horizon whose ranks of all tickers have come due."""
    if not store.exists(UNIVERSE_LEDGER, ALL_TICKERS):
        return []
    record = store.facts(UNIVERSE_LEDGER, ALL_TICKERS).get("record", {})
    return [
        f"Ranks of all tickers {counted(int(horizon), 'session')} ahead: score {row['rps']:.4f} of "
        f"{counted(row['outcomes'], 'past forecast')}, equal probabilities {row['rps_equal']:.4f}; smaller is better."
        for horizon, row in record.items()
    ]


def _best(trials: Mapping[str, Any]) -> str:
    """Return the backtest with the highest Sharpe ratio of all tickers and kinds, and how good luck alone would be."""
    rows = [(kind, ticker, row) for ticker, kinds in trials["tickers"].items() for kind, row in kinds.items()]
    kind, ticker, row = max(rows, key=lambda each: float(each[2]["sharpe"]))
    return (
        f"Best backtest: {ticker} {kind}, Sharpe {row['sharpe']:.2f}. Of all tickers "
        f"{counted(trials['trials'], 'backtest')} are counted, those that traded. They move together, so they are "
        f"worth {trials['independent']:.1f} independent trials, the best of which is expected at "
        f"{trials['expected_best']:.2f} without skill: deflated {_text(row['deflated_sharpe'], '.1%')}."
    )


def _table(ticker: str, task: str, board: dict[str, Any]) -> Table:
    title = f"{ticker} {task}"
    if board["horizon"]:
        title += f" · {counted(board['horizon'], 'session')} ahead · {counted(board['rows'], 'common row')}"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left")
    calibration = "in 90 % band" if task == "price" else "ECE"
    for heading in ("model", "loss (naive)", "skill", calibration, "p", "DSR", "CPU s", "rows"):
        table.add_column(heading, no_wrap=True)
    for row in board["models"]:
        table.add_row(*_cells(row))
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    name = row["model_type"] if row["version"] is None else f"{row['model_type']} v{row['version']}"
    skill = _text(row["skill"], "+.1%")
    calibration = _text(row["ece"], ".3f") if row["coverage"] is None else _text(row["coverage"], ".1%")
    return [
        f"{name} answers" if row["answers"] else name,
        f"{_text(row['value'], '.4f')} ({_text(row['naive'], '.4f')})",
        f"{skill} *" if row["evidence"] and row["evidence"]["discovered"] else skill,
        calibration,
        "–" if row["p_value_answering"] is None else p_value("en", row["p_value_answering"]),
        _text((row["backtest"] or {}).get("deflated_sharpe"), ".0%"),
        _text(row["train_cpu_seconds"], ".1f"),
        str(row["own_rows"]),
    ]


def _text(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
