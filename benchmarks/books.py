"""Backtest the risk of books drawn at random: value at risk and expected shortfall over the next five sessions.

Each week, every book is valued with joint draws from prices up to its Friday. Beside it: normal returns with an EWMA
covariance, and the book's own last 500 returns over five sessions. FZ0 is the joint loss of both figures; smaller is
better.

DIR is that of m6.py, which has closes: the draws are those of `zenith book` without served distributions. With --bands
it is a folder of price files: each ticker's draws have the distribution that is served. Half of the companies teach the
scale, each year's on the years before; books are drawn from the others' tickers with prices from two years before the
first Friday to the end.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import m6
import numpy as np
import pandas as pd
from harness.pooled_tickers import halves, models_by_year, moves_of
from harness.pooled_tickers import read_prices as read_price_files
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_core.errors import NotAvailable
from zenith_core.portfolio.book_risk import book_risk
from zenith_core.portfolio.joint_closes import joint_log_returns
from zenith_core.portfolio.joint_forecast import joint_forecast
from zenith_core.portfolio.universe_of_closes import universe_of_closes
from zenith_core.risk.backtest import fz0_loss, hits, independence_test, kupiec_test, normal_risk
from zenith_core.risk.price_moves import price_moves
from zenith_core.risk.scale_model import ScaleModel, forecast_distribution

FIRST, WEEKS = "2018-01-05", 208  # four years
TAILS = (0.05, 0.01)
SESSIONS = 5
DRAWS, SEED = 5_000, 3
FEWEST = 3  # assets of a book
HISTORY = 500  # returns of the historical method, which overlap
METHODS = ("ours", "EWMA", "history")

Floats = NDArray[np.float64]


def weights(books: int, assets: int) -> Floats:
    """Return the weights of books of FEWEST to 40 assets, (books, assets); every second one has shorts, gross 1."""
    generator = np.random.default_rng(SEED)
    table = np.zeros((books, assets))
    for number in range(books):
        count = int(generator.integers(FEWEST, min(40, assets) + 1))
        table[number, generator.choice(assets, count, replace=False)] = generator.exponential(size=count)
        if number % 2:
            table[number] *= generator.choice([-1, 1], assets, p=[0.3, 0.7])
    return table


@dataclass(frozen=True)
class Week:
    """A Friday and the week after it, for n assets.

    assets:   (n,) columns of the table of weights
    returns:  (rows, n) log returns up to the Friday, NaN before the first
    draws:    (draws, n) of the log returns of the week after it
    growth:   (n,) log returns of that week
    """

    assets: NDArray[np.int64]
    returns: Floats
    draws: NDArray[np.floating]
    growth: Floats


def of_closes(prices: m6.Prices, friday: pd.Timestamp) -> Week:
    """Return a week whose draws are from closes."""
    returns, assets = m6.known_at(prices.history, friday)
    forecast = joint_forecast(returns, assets, SESSIONS)
    draws = replace(forecast, drift=np.zeros(len(assets))).draw(DRAWS, SEED)
    growth = prices.growth(friday, friday + pd.Timedelta(weeks=1)).to_numpy()[assets]
    return Week(assets, returns[:, assets], draws, growth)


def of_bands(prices: dict[str, pd.DataFrame], model: ScaleModel, friday: pd.Timestamp) -> Week:
    """Return a week whose draws have the distributions that a refresh on its Friday publishes."""
    closes = pd.DataFrame({name: table["close"] for name, table in prices.items()}).sort_index()
    past = closes.loc[:friday]
    names = list(prices)
    universe = universe_of_closes(past, dict.fromkeys(names, ""), dict.fromkeys(names, ""))
    distributions = {}
    for name in universe.tickers:
        with suppress(NotAvailable):  # a price that stands still has the scale from closes, as `zenith book` gives it
            distributions[name] = forecast_distribution(model, price_moves(prices[name].loc[:friday]), "")
    columns = range(len(universe.tickers))
    draws = universe.in_marginals(universe.standard_draws(columns, DRAWS, SEED), columns, distributions, SESSIONS)
    assets = np.array([names.index(name) for name in universe.tickers])
    outcomes = m6.Prices(closes, closes).growth(friday, friday + pd.Timedelta(weeks=1))
    return Week(assets, joint_log_returns(past)[:, assets], draws, outcomes.to_numpy()[assets])


def tested_prices(folder: Path, first: str, weeks: int) -> tuple[dict[str, pd.DataFrame], dict[int, ScaleModel]]:
    """Return the prices of the tickers that books are drawn from, and the scale of each year from the other half.

    Raises ValueError for no week, or fewer than FEWEST such tickers.
    """
    if weeks < 1:
        raise ValueError(f"there must be at least 1 round, not {weeks}")
    prices = read_price_files(folder)
    learned, others = halves(list(prices))
    start, end = pd.Timestamp(first), pd.Timestamp(first) + pd.Timedelta(weeks=weeks)
    earliest = start - pd.DateOffset(years=2)
    tested = {
        name: prices[name] for name in others if prices[name].index[0] <= earliest and end <= prices[name].index[-1]
    }
    if len(tested) < FEWEST:
        raise ValueError(f"{len(tested)} tickers of one half have prices from {earliest.date()} to {end.date()}")
    pool = list(moves_of({name: prices[name] for name in learned}).values())
    return tested, models_by_year(pool, range(start.year, end.year + 1))


def weeks_of(options: argparse.Namespace) -> tuple[Iterator[Week], int]:
    """Return the weeks and the number of assets. Raises OSError or ValueError for prices that do not reach."""
    if not options.bands:
        prices = m6.read_prices(options.data)
        fridays = m6.fridays(prices, options.first, options.weeks, weeks=1)
        return (of_closes(prices, friday) for friday in fridays), prices.history.shape[1]
    tested, models = tested_prices(options.data, options.first, options.weeks)
    fridays = [pd.Timestamp(options.first) + pd.Timedelta(weeks=week) for week in range(options.weeks)]
    return (of_bands(tested, models[friday.year], friday) for friday in fridays), len(tested)


def backtest(week: Week, table: Floats) -> tuple[Floats, Floats]:
    """Return the losses of all books in the week (books,), and the forecasts: (books, methods, tails, 2)."""
    own = table[:, week.assets] / np.abs(table[:, week.assets]).sum(axis=1, keepdims=True)
    past = np.nan_to_num(week.returns) @ own.T
    volatility = np.sqrt(pd.DataFrame(past**2).ewm(alpha=1 - m6.DECAY).mean().iloc[-1].to_numpy() * SESSIONS)
    sums = np.sort(-np.expm1(pd.DataFrame(past).rolling(SESSIONS).sum().to_numpy()[-HISTORY:]), axis=0)[::-1]
    forecasts = np.empty((len(own), len(METHODS), len(TAILS), 2))
    for number, row in enumerate(own):
        forecasts[number, 0] = [
            (tail.value_at_risk, tail.shortfall) for tail in book_risk(row, week.draws, TAILS).tails
        ]
    for column, tail in enumerate(TAILS):
        forecasts[:, 1, column] = np.transpose(normal_risk(volatility, tail))
        worst = sums[: round(tail * HISTORY)]
        forecasts[:, 2, column] = np.transpose([worst[-1], worst.mean(axis=0)])
    return -own @ np.expm1(week.growth), forecasts


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
    parser.add_argument("--bands", action="store_true", help="draw from the distributions that are served")
    parser.add_argument("--first", default=FIRST, metavar="DATE", help=f"first Friday (default {FIRST})")
    parser.add_argument("--weeks", type=int, default=WEEKS, metavar="N", help=f"weeks (default {WEEKS})")
    parser.add_argument("--books", type=int, default=40, metavar="N", help="books (default 40)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    arguments = parser.parse_args()
    try:
        weeks, assets = weeks_of(arguments)
    except (OSError, ValueError) as error:
        print(f"books.py: {error}", file=sys.stderr)
        return 1
    console = Console(stderr=arguments.json)
    table = weights(arguments.books, assets)
    progress = track(weeks, "weeks", total=arguments.weeks, console=console, transient=True)
    weekly = [backtest(week, table) for week in progress]
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
