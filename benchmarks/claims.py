"""How many false claims a year of weekly looks at many tickers makes, and how many true edges are found in three years.

Losses are simulated: 1,000 tickers with heavy-tailed returns (Student t, 4 degrees of freedom) that share a market, and
a slow state (AR(1), half-life ten sessions) that drives the drift. With an edge, trading the state long or flat has a
Sharpe ratio of 2 before costs, as in SIM-EDGE, and forecasts are a quarter to all of the expectation; the bettor does
not know which. Without an edge, forecasts of the same sizes are twice the expectation: they lose exactly as much as
"the price stays", the hardest case, because forecasts of pure noise lose more. The band's width errs by 15 %.

Ours:    e-values on the loss differences of zenith_core.evidence, and e-BH at 5 % over all tickers.
Oracle:  the same rule, but it bets the one multiple that grows fastest for the ticker's share.
Today:   Diebold-Mariano against the naive forecast at each look, p < 0.05 for each ticker.

A claim stands from the first look that makes it. Seeds from 1,000 on were used to choose the bets.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from harness.figures import Figure, add_json, report
from numpy.random import Generator
from numpy.typing import NDArray

from zenith_core.evidence.discoveries import LEVEL, discovered, required
from zenith_core.evidence.e_process import BETS, MAX_STAKE, log_e_value, log_mean, log_wealths
from zenith_core.evidence.loss_differences import HUBER, differences, price_differences

FIGURES = ("false_year", "false_year_overlapping", "stars", "false_share", "found", "cpu")
TICKERS, EDGES = 1000, 100
YEAR, WEEK, YEARS = 252, 5, 3
MONTH = 4  # weeks between two points of the picture
SHARPE = 2.0
SHARES = (0.25, 0.5, 0.75, 1.0)  # of a forecast in the true expectation
PERSISTENCE = 0.5 ** (1 / 10)
WORTHLESS = 2.0  # the share of a forecast that loses as much as none
FREEDOM = 4  # of Student's t
BAND_ERROR = 0.15  # standard deviation of the log of the band's width
MARKET = 0.3  # share of a return's variance that all tickers have in common
OVERLAP = 20  # sessions ahead, for the overlapping forecasts
SIGNIFICANT = 1.645  # one-sided, 5 %
FIRST_TEST = 30  # outcomes before today's rule tests

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Universe:
    """Forecasts and outcomes as log returns, and the width of the band, (sessions, tickers).

    share: of each ticker's forecasts in the true expectation, (tickers,)
    """

    forecasts: Floats
    returns: Floats
    width: Floats
    share: Floats

    def losses(self) -> tuple[Floats, Floats]:
        """Return the differences of one session, and their bounds."""
        return differences(self.forecasts / self.width, self.returns / self.width)


def simulate(random: Generator, sessions: int, tickers: int, edges: int) -> Universe:
    """Simulate a universe whose first `edges` tickers have an edge."""
    forecasts = states(random, sessions, tickers) * (SHARPE / np.sqrt(YEAR) * np.sqrt(np.pi))
    share = random.choice(SHARES, tickers)
    forecasts *= share
    share[edges:] = WORTHLESS
    market = random.standard_normal((sessions, 1))
    shock = np.sqrt(MARKET) * market + np.sqrt(1 - MARKET) * random.standard_normal((sessions, tickers))
    tail = np.sqrt((FREEDOM - 2) / random.chisquare(FREEDOM, (sessions, tickers)))
    width = np.exp(BAND_ERROR * random.standard_normal((sessions, tickers)))
    return Universe(forecasts, forecasts / share + shock * tail, width, share)


def states(random: Generator, sessions: int, tickers: int) -> Floats:
    """Return AR(1) states of variance 1, (sessions, tickers)."""
    shocks = random.standard_normal((sessions, tickers))
    shocks[1:] *= np.sqrt(1 - PERSISTENCE**2)
    for session in range(1, sessions):
        shocks[session] += PERSISTENCE * shocks[session - 1]
    return shocks


def log_e_values(universe: Universe) -> Floats:
    """Return log e-values at each weekly look, (looks, tickers)."""
    return log_mean(log_wealths(*universe.losses())[:, WEEK - 1 :: WEEK])


def overlapping_log_e_values(universe: Universe, horizon: int) -> Floats:
    """Return log e-values of forecasts `horizon` sessions ahead at each weekly look, (looks, tickers)."""
    sums = np.cumsum(universe.returns, axis=0)
    outcomes = (sums[horizon:] - sums[:-horizon]) / np.sqrt(horizon)
    origins = slice(1, len(outcomes) + 1)  # a forecast is of the session at its row, so this is the close before it
    ahead = (1 - PERSISTENCE**horizon) / (1 - PERSISTENCE) / np.sqrt(horizon)
    width = universe.width[origins]
    gained, bounds = differences(ahead * universe.forecasts[origins] / width, outcomes / width)
    looks = np.arange(WEEK - 1, len(universe.returns), WEEK)
    wealth = [
        _wealth(gained[first::horizon], bounds[first::horizon], looks - first, horizon) for first in range(horizon)
    ]
    return np.log(np.mean(wealth, axis=0))


def _wealth(gained: Floats, bounds: Floats, looks: NDArray[np.int64], horizon: int) -> Floats:
    """Return a series' wealth at the closes `looks`, counted from its first origin; an open bet counts as lost."""
    start = np.zeros((len(BETS), 1, gained.shape[1]))
    wealths = np.exp(np.concatenate([start, log_wealths(gained, bounds)], axis=1))
    lost = 1 - np.minimum(np.array(BETS)[:, np.newaxis, np.newaxis] * bounds, MAX_STAKE)
    worst = np.concatenate([(wealths[:, :-1] * lost).mean(axis=0), wealths[:, -1].mean(axis=0)[np.newaxis]])
    periods = np.clip(looks // horizon, 0, len(gained))
    is_open = (looks > periods * horizon)[:, np.newaxis]
    return np.where(is_open, worst[periods], wealths.mean(axis=0)[periods])


def oracle_bets(random: Generator) -> Floats:
    """Return for each of SHARES the multiple that grows fastest, from a large universe of edges."""
    universe = simulate(random, YEAR, 2000, 2000)
    grid = np.geomspace(0.2, 6, 40)
    best = []
    for share in SHARES:
        own = universe.share == share
        gained, bounds = (values[:, own] for values in universe.losses())
        growth = [np.log1p(stake(bet, bounds) * gained).mean() for bet in grid]
        best.append(grid[int(np.argmax(growth))])
    return np.array(best)


def stake(bet: float | Floats, bounds: Floats) -> Floats:
    """Return the multiple of a difference that is bet."""
    highest: Floats = MAX_STAKE / np.maximum(bounds, 1e-12)
    return np.minimum(bet, highest)


def oracle_log_e_values(universe: Universe, bets: Floats) -> Floats:
    """Return the oracle's log e-values at each weekly look, (looks, tickers)."""
    gained, bounds = universe.losses()
    bet = bets[np.searchsorted(SHARES, np.minimum(universe.share, max(SHARES)))]
    wealth: Floats = np.log1p(stake(bet, bounds) * gained).cumsum(axis=0)[WEEK - 1 :: WEEK]
    return wealth


def claims(values: Floats) -> Bools:
    """Return the claims of each look, (looks, tickers)."""
    return np.array([discovered(look) for look in values])


def todays_claims(universe: Universe) -> Bools:
    """Return the claims of a Diebold-Mariano test at each look, (looks, tickers)."""
    gained = universe.returns**2 - (universe.returns - universe.forecasts) ** 2
    looks = np.arange(WEEK - 1, len(gained), WEEK)
    count = (looks + 1)[:, np.newaxis]
    mean = gained.cumsum(axis=0)[looks] / count
    variance = (gained**2).cumsum(axis=0)[looks] / count - mean**2
    significant: Bools = mean / np.sqrt(variance / count) > SIGNIFICANT
    return significant & (count >= FIRST_TEST)


@dataclass
class Year:
    """Outcome of years without any edge: number with a false claim, and false claims of today's rule."""

    years: int = 0
    ours: int = 0
    overlapping: int = 0
    today: int = 0
    todays_stars: float = 0.0
    todays_ever: float = 0.0


def years_without_edges(seeds: range) -> Year:
    """Look weekly for a year at universes without an edge."""
    year = Year()
    for random in generators(seeds, 1):
        universe = simulate(random, YEAR, TICKERS, 0)
        today = todays_claims(universe)
        year.years += 1
        year.ours += bool(claims(log_e_values(universe)).any())
        year.overlapping += bool(claims(overlapping_log_e_values(universe, OVERLAP)).any())
        year.today += bool(today.any())
        year.todays_stars += today[-1].sum()
        year.todays_ever += today.any(axis=0).sum()
    return year


@dataclass(frozen=True)
class Found:
    """Edges found and false claims so far at each look, as means over universes, (looks,)."""

    edges: Floats
    false: Floats
    false_share: float


def found(by_look: list[Bools]) -> Found:
    """Count the claims of each universe that were ever made, edges first."""
    ever = np.maximum.accumulate(np.array(by_look), axis=1)
    edges, false = ever[..., :EDGES].sum(axis=2), ever[..., EDGES:].sum(axis=2)
    share = false[:, -1] / np.maximum(edges[:, -1] + false[:, -1], 1)
    return Found(edges.mean(axis=0), false.mean(axis=0), float(share.mean()))


def three_years(seeds: range) -> dict[str, Found]:
    """Look weekly for three years at universes with EDGES edges among TICKERS."""
    bets = oracle_bets(np.random.default_rng([1000, 3]))
    by_rule: dict[str, list[Bools]] = {"ours": [], "oracle": [], "today": []}
    for random in generators(seeds, 2):
        universe = simulate(random, YEARS * YEAR, TICKERS, EDGES)
        by_rule["ours"].append(claims(log_e_values(universe)))
        by_rule["oracle"].append(claims(oracle_log_e_values(universe, bets)))
        by_rule["today"].append(todays_claims(universe))
    return {rule: found(by_look) for rule, by_look in by_rule.items()}


def generators(seeds: range, purpose: int) -> Iterator[Generator]:
    """Yield a generator for each seed."""
    for seed in seeds:
        yield np.random.default_rng([seed, purpose])


def cpu_seconds(looks: int = YEAR // WEEK) -> float:
    """Return CPU seconds of a ticker's weekly looks of a year at its three horizons, and at a universe's e-values."""
    random = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(0.01 * random.standard_normal(YEAR)))
    forecast = close * np.exp(0.002 * random.standard_normal(YEAR))
    others = random.normal(0, 1, TICKERS)
    began = time.process_time()
    for look in range(1, looks + 1):
        for horizon in (1, 5, OVERLAP):
            rows = np.arange(WEEK * look)
            actual = np.append(close, np.full(horizon, np.nan))[rows + horizon]
            table = (values[rows] for values in (close, forecast, 0.97 * close, 1.03 * close))
            gained, bounds = price_differences(*table, actual)
            log_e_value(gained, bounds, rows, rows + horizon, horizon, int(rows[-1]))
        discovered(others), required(others)
    return time.process_time() - began


def figures(year: Year, rules: dict[str, Found]) -> list[Figure]:
    """Return the figures of bars.toml."""
    ours, oracle, today = (rules[rule] for rule in ("ours", "oracle", "today"))
    return [
        Figure("false_year", year.ours / year.years, year.today / year.years),
        Figure("false_year_overlapping", year.overlapping / year.years),
        Figure("stars", year.ours / year.years, year.todays_stars / year.years),
        Figure("false_share", ours.false_share, today.false_share),
        Figure("found", ours.edges[-1] / EDGES, oracle.edges[-1] / EDGES),
        Figure("cpu", cpu_seconds()),
    ]


def main() -> None:
    """Measure, print, and write the series of the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400, help="years of universes without an edge")
    parser.add_argument("--universes", type=int, default=40, help="universes with edges, of three years each")
    parser.add_argument("--first", type=int, default=1, help="first seed; 1,000 and above were used to choose the bets")
    add_json(parser)
    arguments = parser.parse_args()
    year = years_without_edges(range(arguments.first, arguments.first + arguments.repeats))
    rules = three_years(range(arguments.first, arguments.first + arguments.universes))
    print(f"huber {HUBER}, bets {BETS}, level {LEVEL}: {year}")
    for rule, each in rules.items():
        print(f"{rule}: {each.edges[-1]:.1f} of {EDGES} edges, {each.false[-1]:.1f} false, {each.false_share:.1%}")
    weeks = slice(MONTH - 1, None, MONTH)
    series = {"weeks": list(range(1, len(rules["ours"].edges) + 1))[weeks]} | {
        rule: {"edges": each.edges.round(2)[weeks].tolist(), "false": each.false.round(2)[weeks].tolist()}
        for rule, each in rules.items()
    }
    report("claims", figures(year, rules), arguments.json, series)


if __name__ == "__main__":
    main()
