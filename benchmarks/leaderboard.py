"""All methods of forecasting a band on tickers that no fit has seen, in one table: loss, coverage and CPU seconds.

With --data the pool is cut as in bands_pool.py: the scale and the trees of a year learn from one half of the companies
until the year before, and forecast the other half. Without it the four packaged tickers are forecast with the packaged
scales, each learned before its year; XGBoost then learns from the other tickers' past alone. AutoETS needs
statsforecast and is left out without it.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from harness.band_methods import ALONE, ETS, EWMA, GARCH, GJR, METHODS, OURS, TREES, Method, Trees
from harness.figures import Figure, add_json, report
from harness.pooled_tickers import (
    SHOWN,
    CpuSeconds,
    Ticker,
    forecast_tickers,
    halves,
    last_year,
    models_by_year,
    moves_of,
    read_prices,
    rejections,
    scored,
    shares,
)
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_core.errors import NotAvailable
from zenith_core.prices.cleaning import clean_prices
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.price_moves import PriceMoves
from zenith_core.risk.scale_model import ScaleModel
from zenith_pipelines.ingestion.sources import make_source
from zenith_pipelines.risk.scale_prior import prior_before

KEYS = {"ours": OURS, "alone": ALONE, "garch": GARCH, "gjr": GJR, "ets": ETS, "trees": TREES}
FIGURES = (*(f"{key}_{horizon}" for key in KEYS for horizon in SHOWN), *(f"cpu_{key}" for key in KEYS))
SAMPLE = ("AAPL", "GOOG", "IBM", "MSFT")


def sample() -> dict[str, pd.DataFrame]:
    """Return the cleaned prices of the packaged tickers."""
    source = make_source("sample")
    return {ticker: clean_prices(source.fetch(ticker).prices, ticker).prices for ticker in SAMPLE}


def packaged_scales(years: range) -> dict[int, ScaleModel]:
    """Return the packaged scale that was learned before each year; none for years before the first."""
    scales = {}
    for year in years:
        try:
            scales[year] = prior_before(f"{year}-01-01")
        except NotAvailable:
            continue
    return scales


def pools(moves: list[PriceMoves], years: list[int]) -> dict[int, Pool]:
    """Return the rows until the end of the year before each of `years`."""
    return {year: Pool(moves, np.datetime64(f"{year - 1}-12-31")) for year in years}


def measure(
    tickers: list[Ticker], models: Mapping[int, ScaleModel], methods: Mapping[str, Method], renew: int, cpu: CpuSeconds
) -> dict[str, pd.DataFrame]:
    """Return the scores of each method on all tickers; `cpu` gets its seconds."""
    scores: dict[str, list[pd.DataFrame]] = {name: [] for name in methods}
    for ticker in track(tickers, "tickers", console=Console(stderr=True)):
        for name, method in methods.items():
            with cpu.of(name):
                quantiles = method(ticker, models, renew)
            scores[name].append(scored(ticker, quantiles))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in scores.items()}


def show(scores: Mapping[str, pd.DataFrame], cpu: Mapping[str, float], count: int) -> None:
    """Print the table, the lowest loss at one session first."""
    title = (
        f"{count} tickers: pinball loss beside {EWMA} ± its error over tickers (t by date), coverage of the 90 % band"
    )
    table = Table(title=title, title_justify="left", box=None)
    for column in ("", *(f"h={horizon}" for horizon in SHOWN), "Kupiec rejects", "CPU s a ticker"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    by_horizon = {horizon: shares(dict(scores), EWMA, horizon) for horizon in SHOWN}
    for name in sorted(scores, key=lambda name: by_horizon[SHOWN[0]][name][0]):
        cells = []
        for horizon in SHOWN:
            change, spread, t = by_horizon[horizon][name]
            own = scores[name]
            coverage = own[own["horizon"] == horizon]["inside"].mean()
            cells.append(
                f"{change:+.2%} ± {spread:.2%} ({t:+.1f})  {coverage:.1%}" if name != EWMA else f"{coverage:.1%}"
            )
        rejected, of = rejections(scores[name])
        table.add_row(name, *cells, f"{rejected} of {of}", f"{cpu[name] / count:.2f}")
    Console(width=200).print(table)
    best = {horizon: min(scores, key=lambda name: by_horizon[horizon][name][0]) for horizon in SHOWN}
    print("\nlowest pinball loss: " + "; ".join(f"h={horizon} {name}" for horizon, name in best.items()))


def figures(scores: Mapping[str, pd.DataFrame], cpu: Mapping[str, float], count: int) -> list[Figure]:
    """Return the figures of the methods that were measured."""
    measured = {key: name for key, name in KEYS.items() if name in scores}
    results = []
    for horizon in SHOWN:
        by_name = shares(dict(scores), EWMA, horizon)
        results += [Figure(f"{key}_{horizon}", by_name[name][0]) for key, name in measured.items()]
    return [*results, *(Figure(f"cpu_{key}", cpu[name] / count) for key, name in measured.items())]


def main() -> None:
    """Measure all methods and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of price files; without it the packaged tickers")
    parser.add_argument("--renew", type=int, default=20, help="sessions between new quantiles")
    parser.add_argument("--every", type=int, default=5, help="forecast from every N-th session")
    parser.add_argument("--without", nargs="*", default=[], choices=tuple(KEYS), help="leave out methods")
    add_json(parser)
    options = parser.parse_args()
    skipped = {KEYS[key] for key in options.without}
    if not find_spec("statsforecast"):
        skipped.add(ETS)
        print("AutoETS is left out: statsforecast is not installed (`make bench` installs it)")
    cpu = CpuSeconds()
    prices = read_prices(options.data) if options.data else sample()
    moves = moves_of(prices)
    years = range(2000, last_year(moves) + 1)
    learned, tested = halves(list(prices)) if options.data else (list(prices), list(prices))
    with cpu.of(OURS):
        pool = [moves[name] for name in learned]
        models = models_by_year(pool, years) if options.data else packaged_scales(years)
    tickers = [
        replace(ticker, rows=ticker.rows[:: options.every])
        for ticker in forecast_tickers(prices, moves, tested, set(models))
    ]
    used = sorted({int(year) for ticker in tickers for year in ticker.years[ticker.rows]})
    methods = {name: method for name, method in METHODS.items() if name not in skipped}
    if TREES not in skipped:
        with cpu.of(TREES):
            methods[TREES] = Trees(pools(pool, used))
    scores = measure(tickers, models, methods, options.renew, cpu)
    show(scores, cpu, len(tickers))
    report("leaderboard", figures(scores, cpu, len(tickers)), options.json)


if __name__ == "__main__":
    main()
