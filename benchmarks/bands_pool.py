"""Bands of the pooled scale on tickers that no fit has seen, beside EWMA, the bands of one ticker alone, and GJR-GARCH.

The tickers of a folder of prices are cut into halves, all tickers of one company in the same. The scale of a year is
learned from one half's prices until the end of the year before, and forecasts the other half's sessions of that year:
no fit knows a tested ticker, or a day of the test. All methods renew their quantiles every --renew sessions from the
ticker's own past. EWMA x own is the baseline: RiskMetrics' volatility times the quantiles of the ticker's own past
returns in its units. Pinball: the mean over seven quantiles; a share is the mean over tickers of 1 - own / baseline.
Standard errors are clustered by date, with Newey and West's weights for overlapping forecasts.
"""

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from harness.figures import Figure, add_json, report
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_core.errors import TrainingError
from zenith_core.evaluation.probability_scores import pinball_loss
from zenith_core.features.model_features import FEATURES, features
from zenith_core.features.targets import forward_log_returns, root_horizons, standardized_returns
from zenith_core.forecasting.prediction_intervals import BandCalibrator
from zenith_core.inference import HORIZONS, QUANTILES
from zenith_core.market.exchanges import exchange_of
from zenith_core.prices.cleaning import clean_prices
from zenith_core.risk.backtest import kupiec_test
from zenith_core.risk.error_quantiles import error_quantiles
from zenith_core.risk.forecast_distribution import LEVELS
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.price_moves import ANCHORS, PriceMoves, price_moves
from zenith_core.risk.scale_model import ScaleModel, fit_scale_model
from zenith_core.statistics.long_run_variance import bartlett_variance
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHOWN = (1, 5, 20)
FIGURES = (
    *(f"pinball_{horizon}" for horizon in SHOWN),
    *(f"gjr_{horizon}" for horizon in SHOWN),
    *(f"coverage_{horizon}" for horizon in SHOWN),
    *("high_volatility", "after_gap", "kupiec"),
)
POOLED, EWMA, ALONE, GJR = "pooled scale", "EWMA x own", "one ticker alone", "GJR-GARCH, filtered simulation"
FIRST = 560  # sessions before the first forecast: a year of inputs, and a year of errors
FEWEST = 250  # sessions without a standstill before it
LEVEL = 0.9
GAP = 0.05
_AT = [ANCHORS.index(horizon) for horizon in SHOWN]
_COLUMNS = [LEVELS.index(level) for level in QUANTILES]
_REFIT, _PATHS = 500, 500  # sessions between fits of GJR, and simulated paths an origin
_PERSISTENCE = 0.995
_LEAST = 1e-4  # of its variance, in percent squared: an estimated alpha may be negative


@dataclass(frozen=True)
class Ticker:
    """A ticker's cleaned prices, their moves, and the forecast origins."""

    name: str
    prices: pd.DataFrame
    moves: PriceMoves
    rows: Ints

    @property
    def years(self) -> Ints:
        """Return the year of each session."""
        return pd.DatetimeIndex(self.moves.dates).year.to_numpy()

    def blocks(self, renew: int) -> Iterator[Ints]:
        """Yield the origins in blocks of `renew` sessions, within a year."""
        for start in range(FIRST, len(self.moves), renew):
            rows = self.rows[(self.rows >= start) & (self.rows < start + renew)]
            for year in np.unique(self.years[rows]):
                yield rows[self.years[rows] == year]


Quantiles = Floats
"""Of the log return from each origin over each of SHOWN: (origins, SHOWN, QUANTILES)."""


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Read and clean all tickers of a folder, as `zenith run` does."""
    source = CsvFolderSource(folder)
    return {ticker: clean_prices(source.fetch(ticker).prices, ticker).prices for ticker in source.tickers()}


def halves(tickers: list[str]) -> tuple[list[str], list[str]]:
    """Cut tickers in two; those whose first four letters agree are taken for one company."""
    companies = sorted({ticker[:4] for ticker in tickers})
    first = set(companies[::2])
    return [one for one in tickers if one[:4] in first], [one for one in tickers if one[:4] not in first]


def models_by_year(pool: list[PriceMoves], years: range) -> dict[int, ScaleModel]:
    """Return the scale of each year, learned before it; none for years with too small a pool."""
    models = {}
    for year in years:
        try:
            models[year] = fit_scale_model(Pool(pool, np.datetime64(f"{year - 1}-12-31")), f"until-{year - 1}")
        except TrainingError:
            continue
    return models


def pooled(ticker: Ticker, models: dict[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast with the scale of the year, and quantiles half of the ticker's own errors."""
    quantiles = []
    for rows in ticker.blocks(renew):
        model = models[int(ticker.years[rows[0]])]
        shape = model.quantiles_at(ticker.moves, int(rows[0])).moves[0][_AT][:, _COLUMNS]
        quantiles.append(model.scales(ticker.moves)[rows][:, _AT, np.newaxis] * shape)
    return np.concatenate(quantiles)


def ewma(ticker: Ticker, models: dict[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast with EWMA volatility and quantiles of the ticker's own past returns in its units."""
    moves, quantiles = ticker.moves, []
    scale = moves.volatility[:, np.newaxis] * np.sqrt(SHOWN)
    for rows in ticker.blocks(renew):
        past = np.flatnonzero(moves.sound[: rows[0] + 1])
        errors = moves.moves_until(int(rows[0]))[:1, past][:, :, _AT] / scale[past]
        shape = error_quantiles(errors, (rows[0] - past).astype(float)).moves[0][:, _COLUMNS]
        quantiles.append(scale[rows][..., np.newaxis] * shape)
    return np.concatenate(quantiles)


def alone(ticker: Ticker, models: dict[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast with the bands that a ticker's own history gives, renewed once in 250 sessions."""
    table = features(ticker.prices)
    close, volatility = (table[name].to_numpy(dtype=float) for name in ("close", "volatility"))
    targets = standardized_returns(forward_log_returns(close, HORIZONS), volatility)
    calibrator = BandCalibrator(
        table[list(FEATURES)].to_numpy(), FEATURES, volatility, targets, np.arange(250, len(table))
    )
    quantiles = []
    for start in range(FIRST, len(table), 250):
        rows = ticker.rows[(ticker.rows >= start) & (ticker.rows < start + 250)]
        if len(rows):
            offsets = calibrator.offsets(calibrator.band_at(start, np.zeros(targets.shape)), rows - 250)
            quantiles.append(offsets * (volatility[rows, np.newaxis] * root_horizons(HORIZONS))[..., np.newaxis])
    return np.concatenate(quantiles)[:, [horizon - 1 for horizon in SHOWN]]


def gjr(ticker: Ticker, models: dict[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast with GJR-GARCH(1,1), Student t, and simulated paths of its own past standardized residuals.

    Sources: Glosten, Jagannathan and Runkle (1993); Barone-Adesi, Giannopoulos and Vosper (1999), filtered simulation.
    """
    from arch import arch_model

    returns = 100 * np.diff(np.log(ticker.prices["close"].to_numpy(dtype=float)))  # the one at k ends at row k + 1
    rng, quantiles = np.random.default_rng(1), []
    for start in range(FIRST, len(returns) + 1, _REFIT):
        rows = ticker.rows[(ticker.rows >= start) & (ticker.rows < start + _REFIT)]
        if not len(rows):
            continue
        fit = arch_model(returns[:start], o=1, dist="t").fit(disp="off", show_warning=False).params
        mean, omega = fit["mu"], fit["omega"]
        persistence = fit["alpha[1]"] + fit["gamma[1]"] / 2 + fit["beta[1]"]
        shrink = min(1.0, _PERSISTENCE / persistence)  # an explosive fit would make paths without bound
        alpha, gamma, beta = (shrink * fit[name] for name in ("alpha[1]", "gamma[1]", "beta[1]"))
        variance = np.full(len(returns) + 1, returns[:start].var())  # of the return at the same position
        for at, value in enumerate(returns - mean):
            variance[at + 1] = max(omega + (alpha + gamma * (value < 0)) * value**2 + beta * variance[at], _LEAST)
        residuals = ((returns - mean) / np.sqrt(variance[:-1]))[:start]
        drawn = residuals[rng.integers(0, start, (len(rows), _PATHS, max(SHOWN)))]
        now, total = np.repeat(variance[rows][:, np.newaxis], _PATHS, axis=1), np.zeros((len(rows), _PATHS))
        paths = []
        for step in range(max(SHOWN)):
            shock = np.sqrt(now) * drawn[:, :, step]
            total = total + mean + shock
            now = np.maximum(omega + (alpha + gamma * (shock < 0)) * shock**2 + beta * now, _LEAST)
            if step + 1 in SHOWN:
                paths.append(np.quantile(total, QUANTILES, axis=1).T / 100)
        quantiles.append(np.stack(paths, axis=1))
    return np.concatenate(quantiles)


METHODS: dict[str, Callable[[Ticker, dict[int, ScaleModel], int], Quantiles]] = {
    POOLED: pooled,
    EWMA: ewma,
    ALONE: alone,
    GJR: gjr,
}


def scored(ticker: Ticker, quantiles: Quantiles) -> pd.DataFrame:
    """Return date, horizon, loss, inside (of the 90 % band), below (its lower end) of each origin with an outcome."""
    actual = ticker.moves.moves[0][ticker.rows][:, _AT]
    frames = []
    for at, horizon in enumerate(SHOWN):
        outcome, own = actual[:, at], quantiles[:, at]
        frame = pd.DataFrame(
            {
                "ticker": ticker.name,
                "row": ticker.rows,
                "date": ticker.moves.dates[ticker.rows],
                "horizon": horizon,
                "loss": pinball_loss(own, outcome),
                "inside": ((own[:, 0] <= outcome) & (outcome <= own[:, -1])).astype(float),
                "below": outcome < own[:, 0],
            }
        )
        frames.append(frame[np.isfinite(outcome)])
    return pd.concat(frames)


def clustered(values: pd.Series, dates: pd.Series, horizon: int) -> float:
    """Return the standard error of the mean of `values`, clustered by date."""
    sums = values.groupby(dates).sum().sort_index().to_numpy(dtype=float)
    centred = sums - values.groupby(dates).size().sort_index().to_numpy() * values.mean()
    return float(np.sqrt(len(sums) * bartlett_variance(centred, 2 * horizon)) / len(values))


def shares(scores: dict[str, pd.DataFrame], baseline: str, horizon: int) -> dict[str, tuple[float, float, float]]:
    """Return by method: mean over tickers of own / baseline loss - 1, its standard error, and t clustered by date."""
    base = scores[baseline][scores[baseline]["horizon"] == horizon].set_index(["ticker", "row"])
    means, results = base["loss"].groupby("ticker").mean(), {}
    for name, table in scores.items():
        own = table[table["horizon"] == horizon].set_index(["ticker", "row"])
        change = own["loss"].groupby("ticker").mean() / means - 1
        difference = (own["loss"] - base["loss"]) / means.reindex(base.index.get_level_values("ticker")).to_numpy()
        error = clustered(difference, base["date"], horizon) if name != baseline else np.nan
        spread = float(change.std() / np.sqrt(len(change)))
        results[name] = (float(change.mean()), spread, float(difference.mean() / error))
    return results


def z_of(table: pd.DataFrame, horizon: int) -> float:
    """Return how many clustered standard errors the coverage is off 90 %."""
    error = clustered(table["inside"], table["date"], horizon)
    return float((table["inside"].mean() - LEVEL) / error) if error > 0 else float("nan")


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


def rejections(scores: pd.DataFrame) -> tuple[int, int]:
    """Return the number of tickers whose 5 % value at risk Kupiec's test rejects at one session, and of all."""
    by_ticker = scores[scores["horizon"] == 1].groupby("ticker")["below"]
    p_values = [kupiec_test(hits.to_numpy(), 0.05).p_value for _, hits in by_ticker]
    return sum(p < 0.05 for p in p_values), len(p_values)


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
    parts = {name: (rows["inside"].mean(), z_of(rows, 1), len(rows)) for name, rows in _parts(scores, tickers).items()}
    print("\ncoverage at one session, in clustered standard errors off 90 %:")
    for name, (coverage, z, rows) in parts.items():
        print(f"  {name}: {coverage:.1%} of {rows}, {z:+.1f}")


def _parts(scores: dict[str, pd.DataFrame], tickers: dict[str, Ticker]) -> dict[str, pd.DataFrame]:
    return subsets(scores[POOLED], tickers)


def figures(scores: dict[str, pd.DataFrame], tickers: dict[str, Ticker]) -> list[Figure]:
    """Return the figures of bars.toml; those of GJR only if it was measured."""
    own, results = scores[POOLED], []
    for name, baseline in (("pinball", EWMA), ("gjr", GJR)):
        if baseline in scores:
            results += [Figure(f"{name}_{horizon}", shares(scores, baseline, horizon)[POOLED][0]) for horizon in SHOWN]
    results += [Figure(f"coverage_{h}", float(own[own["horizon"] == h]["inside"].mean())) for h in SHOWN]
    parts = list(_parts(scores, tickers).values())
    results += [Figure("high_volatility", z_of(parts[0], 1)), Figure("after_gap", z_of(parts[1], 1))]
    rejected, of = rejections(own)
    return [*results, Figure("kupiec", rejected / of)]


def main() -> None:
    """Measure all methods on the tickers of one half, or with --tune on half of the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of price files")
    parser.add_argument("--renew", type=int, default=20, help="sessions between new quantiles")
    parser.add_argument("--tune", action="store_true", help="stay within the half that the reported run learns from")
    parser.add_argument("--without", nargs="*", default=[], choices=("alone", "gjr"), help="leave out methods")
    add_json(parser)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="arch")
    seconds: dict[str, float] = defaultdict(float)
    with _cpu(seconds, "reading"):
        prices = read(options.data)
    learned, tested = halves(list(prices))
    if options.tune:
        learned, tested = halves(learned)
    with _cpu(seconds, "inputs"):
        moves = {ticker: price_moves(prices[ticker]) for ticker in (*learned, *tested)}
    with _cpu(seconds, "fits"):
        last = max(pd.Timestamp(each.dates[-1]).year for each in moves.values())
        models = models_by_year([moves[ticker] for ticker in learned], range(2000, last + 1))
    skipped = {name for name, method in METHODS.items() if method.__name__ in options.without}
    scores: dict[str, list[pd.DataFrame]] = defaultdict(list)
    tickers = {}
    for name in track(tested, "tickers", console=Console(stderr=True)):
        rows = np.arange(FIRST, len(moves[name]))
        has_model = np.isin(pd.DatetimeIndex(moves[name].dates[rows]).year, list(models))
        sound = moves[name].sound
        enough = np.cumsum(sound)[rows] >= FEWEST
        ticker = Ticker(name, prices[name], moves[name], rows[has_model & sound[rows] & enough])
        if not len(ticker.rows):
            continue
        tickers[name] = ticker
        for label, method in METHODS.items():
            if label not in skipped:
                with _cpu(seconds, label):
                    quantiles = method(ticker, models, options.renew)
                scores[label].append(scored(ticker, quantiles))
    together = {label: pd.concat(each, ignore_index=True) for label, each in scores.items()}
    show(together, seconds, tickers)
    pool = ", ".join(f"{key} {seconds[key]:.1f}" for key in ("reading", "inputs", "fits"))
    print(f"\n{len(learned)} tickers in the pool; CPU s in all: {pool}, {len(models)} yearly fits")
    report("bands_pool", figures(together, tickers), options.json)


@contextmanager
def _cpu(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    seconds[name] += time.process_time() - start


if __name__ == "__main__":
    main()
