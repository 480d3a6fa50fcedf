"""Backtest the risk of books drawn at random: value at risk and expected shortfall over the next five sessions.

Each week, every book is valued with joint draws from closes up to its Friday, as `zenith book` does without served
distributions. Beside it: normal returns with an EWMA covariance, and the book's own last 500 returns over five
sessions. FZ0 is the joint loss of both figures; smaller is better. DIR is that of m6.py.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import m6
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_core.portfolio.book_risk import book_risk
from zenith_core.portfolio.joint_forecast import joint_forecast
from zenith_core.risk.backtest import fz0_loss, hits, independence_test, kupiec_test, normal_risk

FIRST, WEEKS = "2018-01-05", 208  # four years
TAILS = (0.05, 0.01)
SESSIONS = 5
DRAWS, SEED = 5_000, 3
HISTORY = 500  # returns of the historical method, which overlap
METHODS = ("ours", "EWMA", "history")

Floats = NDArray[np.float64]


def weights(books: int, assets: int) -> Floats:
    """Return the weights of books of 3 to 40 assets, (books, assets); every second one has shorts. Gross value is 1."""
    generator = np.random.default_rng(SEED)
    table = np.zeros((books, assets))
    for number in range(books):
        count = int(generator.integers(3, min(40, assets) + 1))
        table[number, generator.choice(assets, count, replace=False)] = generator.exponential(size=count)
        if number % 2:
            table[number] *= generator.choice([-1, 1], assets, p=[0.3, 0.7])
    return table


def week(prices: m6.Prices, friday: pd.Timestamp, table: Floats) -> tuple[Floats, Floats]:
    """Return the losses of all books in the next week (books,), and the forecasts: (books, methods, tails, 2)."""
    returns, assets = m6.known_at(prices.history, friday)
    own = table[:, assets] / np.abs(table[:, assets]).sum(axis=1, keepdims=True)
    growth = prices.growth(friday, friday + pd.Timedelta(weeks=1)).to_numpy()[assets]
    forecast = joint_forecast(returns, assets, SESSIONS)
    draws = replace(forecast, drift=np.zeros(len(assets))).draw(DRAWS, SEED)
    past = np.nan_to_num(returns[:, assets]) @ own.T
    volatility = np.sqrt(pd.DataFrame(past**2).ewm(alpha=1 - m6.DECAY).mean().iloc[-1].to_numpy() * SESSIONS)
    sums = np.sort(-np.expm1(pd.DataFrame(past).rolling(SESSIONS).sum().to_numpy()[-HISTORY:]), axis=0)[::-1]
    forecasts = np.empty((len(own), len(METHODS), len(TAILS), 2))
    for number, row in enumerate(own):
        forecasts[number, 0] = [(tail.value_at_risk, tail.shortfall) for tail in book_risk(row, draws, TAILS).tails]
    for column, tail in enumerate(TAILS):
        forecasts[:, 1, column] = np.transpose(normal_risk(volatility, tail))
        worst = sums[: round(tail * HISTORY)]
        forecasts[:, 2, column] = np.transpose([worst[-1], worst.mean(axis=0)])
    return -own @ np.expm1(growth), forecasts


def record(losses: Floats, forecasts: Floats, column: int) -> dict[str, Any]:
    """Return the record of each method for one tail, from losses (weeks, books) and all forecasts.

    hit_rate:       of all weeks and books; `kupiec` the share of books whose own rate is refused at 5 %
    christoffersen: the share of books whose hits come in clusters, refused at 5 %
    fz0:            mean loss; `t` of our loss minus the method's, from the means of each week: above 0 ours is worse
    """
    tail = TAILS[column]
    scores = {}
    rows: dict[str, Any] = {}
    for number, method in enumerate(METHODS):
        value_at_risk, shortfall = forecasts[:, :, number, column, 0], forecasts[:, :, number, column, 1]
        above = hits(losses, value_at_risk)
        scores[method] = fz0_loss(losses, value_at_risk, shortfall, tail).mean(axis=1)
        excess = scores["ours"] - scores[method]
        rows[method] = {
            "hit_rate": float(above.mean()),
            "kupiec": float(np.mean([kupiec_test(book, tail).p_value < 0.05 for book in above.T])),
            "christoffersen": float(np.mean([independence_test(book).p_value < 0.05 for book in above.T])),
            "fz0": float(scores[method].mean()),
            "t": float(excess.mean() / error) if (error := m6.standard_error(excess)) > 0 else None,
        }
    return rows


def main() -> int:
    """Print the record of each method. Exit status 1 if the prices do not reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the price files")
    parser.add_argument("--first", default=FIRST, metavar="DATE", help=f"first Friday (default {FIRST})")
    parser.add_argument("--weeks", type=int, default=WEEKS, metavar="N", help=f"weeks (default {WEEKS})")
    parser.add_argument("--books", type=int, default=40, metavar="N", help="books (default 40)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    arguments = parser.parse_args()
    try:
        prices = m6.read_prices(arguments.data)
        fridays = m6.fridays(prices, arguments.first, arguments.weeks, weeks=1)
    except (OSError, ValueError) as error:
        print(f"books.py: {error}", file=sys.stderr)
        return 1
    console = Console(stderr=arguments.json)
    table = weights(arguments.books, prices.history.shape[1])
    weekly = [week(prices, friday, table) for friday in track(fridays, "weeks", console=console, transient=True)]
    losses, forecasts = (np.array(each) for each in zip(*weekly, strict=True))
    records = {str(tail): record(losses, forecasts, column) for column, tail in enumerate(TAILS)}
    if arguments.json:
        print(json.dumps(records, indent=1))
    else:
        _show(records, console)
    return 0


def _show(records: dict[str, Any], console: Console) -> None:
    rows = Table("tail", "method", "losses above VaR", "refused by Kupiec", "by Christoffersen", "FZ0", "t of ours")
    for tail, methods in records.items():
        for method, row in methods.items():
            t = "" if row["t"] is None else f"{row['t']:.1f}"
            refused = (f"{row['kupiec']:.0%}", f"{row['christoffersen']:.0%}")
            rows.add_row(tail, method, f"{row['hit_rate']:.2%}", *refused, f"{row['fz0']:.4f}", t)
    console.print(rows)


if __name__ == "__main__":
    sys.exit(main())
