"""Bands of the pooled scale on tickers that no fit has seen, beside EWMA, the bands of one ticker alone, and GJR-GARCH.

The tickers of a folder of prices are cut into halves, all tickers of one company in the same. The scale of a year is
learned from one half's prices until the end of the year before, and forecasts the other half's sessions of that year:
no fit knows a tested ticker, or a day of the test. All methods renew their quantiles every --renew sessions from the
ticker's own past. EWMA x own is the baseline: RiskMetrics' volatility times the quantiles of the ticker's own past
returns in its units. Pinball: the mean over seven quantiles; a share is the mean over tickers of 1 - own / baseline.
Standard errors are clustered by date, with Newey and West's weights for overlapping forecasts.
"""

import argparse
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from harness.band_methods import ALONE, EWMA, GJR, METHODS
from harness.band_methods import OURS as POOLED
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
    z_of,
)
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_core.errors import NotAvailable
from zenith_core.evaluation.risk_record import walk_forward_record
from zenith_core.market.exchanges import exchange_of
from zenith_core.risk.price_moves import price_moves
from zenith_core.risk.scale_model import forecast_distribution
from zenith_pipelines.risk.scale_prior import priors

FIGURES = (
    *(f"pinball_{horizon}" for horizon in SHOWN),
    *(f"gjr_{horizon}" for horizon in SHOWN),
    *(f"coverage_{horizon}" for horizon in SHOWN),
    *("high_volatility", "after_gap", "half_years", "markets", "kupiec", "renewal_cpu", "record_cpu"),
)
GAP = 0.05
RECORDS = 10  # tickers whose costs are measured


def subsets(scores: pd.DataFrame, tickers: dict[str, Ticker]) -> dict[str, pd.DataFrame]:
    """Return the rows at one session: in the top decile of volatility, after a gap, by market, by half-year."""
    one = scores[scores["horizon"] == 1].copy()
    volatility = np.concatenate([tickers[name].moves.volatility[rows["row"]] for name, rows in one.groupby("ticker")])
    gap = []
    for name, rows in one.groupby("ticker"):
        prices = tickers[name].prices
        gap.append(np.abs(np.log(prices["open"] / prices["close"].shift())).to_numpy()[rows["row"]] >= GAP)
    one = one.sort_values(["ticker", "row"])
    half = one["date"].dt.year.astype(str) + np.where(one["date"].dt.month <= 6, " first half", " second half")
    market = one["ticker"].map(lambda name: exchange_of(name).code)
    return {
        "top decile of volatility": one[volatility >= np.quantile(volatility, 0.9)],
        f"day after a gap of {GAP:.0%}": one[np.concatenate(gap)],
        **{f"market {name}": rows for name, rows in one.groupby(market)},
        **{str(name): rows for name, rows in one.groupby(half)},
    }


def show(scores: dict[str, pd.DataFrame], seconds: dict[str, float], tickers: dict[str, Ticker]) -> None:
    """Print the table of all methods, and the coverage of ours by subset."""
    count = scores[POOLED]["ticker"].nunique()
    title = f"{count} tickers: pinball beside {EWMA} ± its error over tickers (t by date), coverage of the 90 % band"
    table = Table(title=title, title_justify="left", box=None)
    for column in ("", *(f"h={horizon}" for horizon in SHOWN), "5 % VaR hits", "Kupiec rejects", "CPU s a ticker"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    by_horizon = {horizon: shares(scores, EWMA, horizon) for horizon in SHOWN}
    for name, own in scores.items():
        cells = []
        for horizon in SHOWN:
            change, spread, t = by_horizon[horizon][name]
            coverage = own[own["horizon"] == horizon]["inside"].mean()
            beside = f"{change:+.2%} ± {spread:.2%} ({t:+.1f})  " if name != EWMA else ""
            cells.append(f"{beside}{coverage:.1%}")
        rejected, of = rejections(own)
        hits = own[own["horizon"] == 1]["below"].mean()
        table.add_row(name, *cells, f"{hits:.2%}", f"{rejected} of {of}", f"{seconds[name] / count:.2f}")
    Console(width=200).print(table)
    parts = {
        name: (rows["inside"].mean(), z_of(rows, 1), len(rows))
        for name, rows in subsets(scores[POOLED], tickers).items()
    }
    print("\ncoverage at one session, in clustered standard errors off 90 %:")
    for name, (coverage, z, rows) in parts.items():
        print(f"  {name}: {coverage:.1%} of {rows}, {z:+.1f}")


def figures(scores: dict[str, pd.DataFrame], tickers: dict[str, Ticker]) -> list[Figure]:
    """Return the figures of bars.toml; those of GJR only if it was measured."""
    own, results = scores[POOLED], []
    for name, baseline in (("pinball", EWMA), ("gjr", GJR)):
        if baseline in scores:
            results += [Figure(f"{name}_{horizon}", shares(scores, baseline, horizon)[POOLED][0]) for horizon in SHOWN]
    results += [Figure(f"coverage_{h}", float(own[own["horizon"] == h]["inside"].mean())) for h in SHOWN]
    off = {name: z_of(rows, 1) for name, rows in subsets(own, tickers).items()}
    volatile, gap, *_ = off.values()
    results += [Figure("high_volatility", volatile), Figure("after_gap", gap)]
    for name, word in (("half_years", "half"), ("markets", "market")):
        results.append(Figure(name, max((z for part, z in off.items() if word in part), key=abs)))
    rejected, of = rejections(own)
    return [*results, Figure("kupiec", rejected / of)]


def costs(tickers: list[Ticker]) -> list[Figure]:
    """Return the CPU seconds of a ticker's new distribution, at each refresh, and of its record."""
    cpu, model, some = CpuSeconds(), priors()[-1], tickers[:RECORDS]
    for ticker in some:
        with cpu.of("renewal"), suppress(NotAvailable):  # a price that stands still
            forecast_distribution(model, price_moves(ticker.prices), "")
        with cpu.of("record"):
            walk_forward_record(priors(), ticker.moves)
    return [Figure(f"{name}_cpu", cpu[name] / len(some)) for name in ("renewal", "record")]


def main() -> None:
    """Measure all methods on the tickers of one half, or with --tune on half of the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of price files")
    parser.add_argument("--renew", type=int, default=20, help="sessions between new quantiles")
    parser.add_argument("--tune", action="store_true", help="stay within the half that the reported run learns from")
    parser.add_argument("--without", nargs="*", default=[], choices=("alone", "gjr"), help="leave out methods")
    add_json(parser)
    options = parser.parse_args()
    seconds = CpuSeconds()
    with seconds.of("reading"):
        prices = read_prices(options.data)
    learned, tested = halves(list(prices))
    if options.tune:
        learned, tested = halves(learned)
    with seconds.of("inputs"):
        moves = moves_of({name: prices[name] for name in (*learned, *tested)})
    with seconds.of("fits"):
        models = models_by_year([moves[name] for name in learned], range(2000, last_year(moves) + 1))
    names = {"alone": ALONE, "gjr": GJR}
    methods = [name for name in (POOLED, EWMA, ALONE, GJR) if name not in {names[each] for each in options.without}]
    scores: dict[str, list[pd.DataFrame]] = defaultdict(list)
    tickers = {}
    everything = list(forecast_tickers(prices, moves, tested, set(models)))
    for ticker in track(everything, "tickers", console=Console(stderr=True)):
        tickers[ticker.name] = ticker
        for name in methods:
            with seconds.of(name):
                quantiles = METHODS[name](ticker, models, options.renew)
            scores[name].append(scored(ticker, quantiles))
    together = {label: pd.concat(each, ignore_index=True) for label, each in scores.items()}
    show(together, seconds, tickers)
    pool = ", ".join(f"{key} {seconds[key]:.1f}" for key in ("reading", "inputs", "fits"))
    print(f"\n{len(learned)} tickers in the pool; CPU s in all: {pool}, {len(models)} yearly fits")
    report("bands_pool", [*figures(together, tickers), *costs(everything)], options.json)


if __name__ == "__main__":
    main()
