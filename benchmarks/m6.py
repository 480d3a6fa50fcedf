"""Replay the M6 forecasting competition: the probabilities of each fifth of 100 assets over four weeks.

The score is the mean ranked probability score; smaller is better, equal probabilities score 0.16. Each round uses
closes up to its Friday. Beside ours: a plain recipe (EWMA volatility, correlation of 500 sessions shrunk by a tenth).
DIR holds history_adjusted_close.csv.gz (date, a column for each asset); assets_m6.csv (symbol, date, price), the
competition's own prices, for the outcomes where it has both days; and leaderboard.csv (place, RPS) for the place.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_core.portfolio.fifths import fifth_probabilities, fifth_shares, ranked_probability_score
from zenith_core.portfolio.joint_closes import is_listed, joint_log_returns
from zenith_core.portfolio.joint_forecast import JointForecast, joint_forecast

HISTORY, OUTCOMES, TEAMS = "history_adjusted_close.csv.gz", "assets_m6.csv", "leaderboard.csv"
FIRST, ROUNDS = "2022-03-04", 12  # of the competition
WEEKS, SESSIONS = 4, 20
EQUAL = 0.16
BINS = 10  # of the calibration error
RENAMED = {"RE": "EG"}  # Everest: the history has its symbol of 2023
MOVED = 0.4  # share of the assets that move on a session
DRAWS, SEED = 20_000, 6
DECAY, DEPTH, SHRUNK, RECENT = 0.97, 500, 0.1, 1000  # of the plain recipe

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """Adjusted closes (day × asset): `history` to forecast from, `outcomes` to score with."""

    history: pd.DataFrame
    outcomes: pd.DataFrame

    def growth(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
        """Return the log return of each asset from `start` to `end`, from the first table that has it."""
        tables = (self.outcomes, self.history)
        official, own = (np.log(_close_at(each, end) / _close_at(each, start)) for each in tables)
        growth: pd.Series = official.reindex(own.index).fillna(own)
        return growth


@dataclass(frozen=True)
class Round:
    """One round: its Friday, the mean score of our probabilities and of the plain recipe's, and ours with outcomes."""

    friday: str
    rps: float
    plain: float
    assets: int
    probabilities: Floats
    shares: Floats


def read_prices(folder: Path) -> Prices:
    """Read the price files; without the competition's own, outcomes come from the history."""
    history = pd.read_csv(folder / HISTORY, index_col="date", parse_dates=True).sort_index()
    if not (folder / OUTCOMES).exists():
        return Prices(history, history)
    rows = pd.read_csv(folder / OUTCOMES, parse_dates=["date"])
    return Prices(history, rows.pivot(index="date", columns="symbol", values="price").rename(columns=RENAMED))


def ours(returns: Floats, assets: NDArray[np.int64]) -> Floats:
    """Return probabilities of fifths from our joint forecast."""
    return fifth_probabilities(joint_forecast(returns, assets, SESSIONS).draw(DRAWS, SEED))


def plain(returns: Floats, assets: NDArray[np.int64]) -> Floats:
    """Return probabilities of fifths from the plain recipe."""
    own = pd.DataFrame(returns[:, assets])
    scale = np.sqrt((own.iloc[-RECENT:] ** 2).ewm(alpha=1 - DECAY).mean().iloc[-1].to_numpy() * SESSIONS)
    correlation = (1 - SHRUNK) * own.iloc[-DEPTH:].corr(min_periods=SESSIONS).fillna(0.0).to_numpy()
    np.fill_diagonal(correlation, 1.0)
    forecast = JointForecast(scale, np.zeros(len(scale)), correlation)
    return fifth_probabilities(forecast.draw(DRAWS, SEED))


def known_at(history: pd.DataFrame, friday: pd.Timestamp) -> tuple[Floats, NDArray[np.int64]]:
    """Return all that a round may use: log returns up to its Friday, and the columns of the assets listed by then."""
    past = history.loc[:friday]
    moves = past.ffill().diff()
    resting = (moves.notna() & (moves != 0)).sum(axis=1) < MOVED * moves.notna().sum(
        axis=1
    )  # the table repeats closes on holidays
    returns = joint_log_returns(past[~resting])
    return returns, np.flatnonzero(is_listed(returns) & past.ffill().iloc[-1].notna().to_numpy())


def play(prices: Prices, friday: pd.Timestamp) -> Round:
    """Play one round."""
    returns, assets = known_at(prices.history, friday)
    growth = prices.growth(friday, friday + pd.Timedelta(weeks=WEEKS)).to_numpy()[assets]
    shares = fifth_shares(growth)
    probabilities = ours(returns, assets)
    scores = [ranked_probability_score(each, shares).mean() for each in (probabilities, plain(returns, assets))]
    return Round(str(friday.date()), *map(float, scores), len(assets), probabilities, shares)


def calibration_error(probabilities: Floats, outcomes: Floats) -> float:
    """Return the expected calibration error: the mean distance of probability and frequency over BINS equal groups."""
    order = np.argsort(probabilities, kind="stable")
    groups = np.array_split(order, min(BINS, len(order)))
    return float(sum(len(g) * abs(probabilities[g].mean() - outcomes[g].mean()) for g in groups) / len(order))


def place(folder: Path, rps: float, first: str, rounds: int) -> int | None:
    """Return the place among the teams; None for other rounds than the competition's, or without the table."""
    if (first, rounds) != (FIRST, ROUNDS) or not (folder / TEAMS).exists():
        return None
    return int((pd.read_csv(folder / TEAMS)["RPS"] < rps).sum()) + 1


def summary(rounds: list[Round], rank: int | None) -> dict[str, Any]:
    """Return the totals, as `--json` prints them. `t` is that of the paired difference from the plain recipe."""
    own, recipe = (np.array([getattr(each, name) for each in rounds]) for name in ("rps", "plain"))
    difference = own - recipe
    return {
        "rps": float(own.mean()),
        "place": rank,
        "standard_error": standard_error(own),
        "plain": float(recipe.mean()),
        "equal": EQUAL,
        "t": float(difference.mean() / error) if (error := standard_error(difference)) else None,
        "calibration_error": calibration_error(
            *(np.concatenate([getattr(each, name).ravel() for each in rounds]) for name in ("probabilities", "shares"))
        ),
        "rounds": [{name: getattr(each, name) for name in ("friday", "rps", "plain", "assets")} for each in rounds],
    }


def main() -> int:
    """Print the scores by round and in total. Exit status 1 if the prices do not reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the price files")
    parser.add_argument("--first", default=FIRST, metavar="DATE", help=f"Friday of the first round (default {FIRST})")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help=f"rounds of four weeks (default {ROUNDS})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    arguments = parser.parse_args()
    try:
        prices = read_prices(arguments.data)
        starts = fridays(prices, arguments.first, arguments.rounds)
    except (OSError, ValueError) as error:
        print(f"m6.py: {error}", file=sys.stderr)
        return 1
    console = Console(stderr=arguments.json)
    rounds = [play(prices, friday) for friday in track(starts, "rounds", console=console, transient=True)]
    rps = float(np.mean([each.rps for each in rounds]))
    totals = summary(rounds, place(arguments.data, rps, arguments.first, arguments.rounds))
    if arguments.json:
        print(json.dumps(totals, indent=1))
    else:
        _show(totals, console)
    return 0


def fridays(prices: Prices, first: str, rounds: int, weeks: int = WEEKS) -> list[pd.Timestamp]:
    """Return the Fridays that the rounds start on. Raises ValueError if the prices do not cover them."""
    if rounds < 1:
        raise ValueError(f"there must be at least 1 round, not {rounds}")
    start = pd.Timestamp(first)
    days = prices.history.index
    ends = [start + pd.Timedelta(weeks=weeks * k) for k in range(rounds + 1)]
    if len(days) < 2 or not days[1] <= start or ends[-1] > days[-1]:
        raise ValueError(f"rounds of {first} to {ends[-1].date()} need prices of those days; {HISTORY} has others")
    return ends[:-1]


def _close_at(table: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    """Return the last close of each asset up to `day`; NaN if the table does not reach it."""
    if not len(table) or day < table.index[0] or day > table.index[-1]:
        return pd.Series(np.nan, index=table.columns)
    close: pd.Series = table.loc[:day].ffill().iloc[-1]
    return close


def standard_error(values: Floats) -> float:
    """Return the standard error of the mean, NaN for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _show(totals: dict[str, Any], console: Console) -> None:
    table = Table("Friday", "assets", "RPS", "plain recipe", "equal")
    for each in totals["rounds"]:
        table.add_row(each["friday"], str(each["assets"]), f"{each['rps']:.5f}", f"{each['plain']:.5f}", f"{EQUAL:.5f}")
    table.add_section()
    table.add_row("mean", "", f"{totals['rps']:.5f}", f"{totals['plain']:.5f}", f"{EQUAL:.5f}")
    console.print(table)
    console.print(f"RPS {totals['rps']:.5f}, standard error {totals['standard_error']:.5f}")
    console.print(f"expected calibration error of the probabilities {100 * totals['calibration_error']:.2f} points")
    if totals["t"] is not None:
        console.print(f"against the plain recipe {totals['rps'] - totals['plain']:+.5f}, paired t {totals['t']:.2f}")
    if totals["place"]:
        console.print(f"place {totals['place']} of the competition's teams")


if __name__ == "__main__":
    sys.exit(main())
