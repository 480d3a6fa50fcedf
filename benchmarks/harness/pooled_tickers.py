"""Real tickers of a folder in two halves, forecast walk-forward, and the scores of their bands.

Used by the benchmarks of the pooled scale: none of them ships prices.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.errors import TrainingError
from zenith_core.evaluation.probability_scores import pinball_loss
from zenith_core.prices.cleaning import clean_prices
from zenith_core.risk.backtest import kupiec_test
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.price_moves import ANCHORS, PriceMoves, price_moves
from zenith_core.risk.scale_model import ScaleModel, fit_scale_model
from zenith_core.statistics.long_run_variance import bartlett_variance
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHOWN = (1, 5, 20)
ANCHORS_SHOWN = [ANCHORS.index(horizon) for horizon in SHOWN]
FIRST = 560  # sessions before the first forecast: a year of inputs, and a year of errors
FEWEST = 250  # sessions without a standstill before it
LEVEL = 0.9

Quantiles = Floats
"""Of the log return from each origin over each of SHOWN: (origins, SHOWN, QUANTILES)."""


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


def read_prices(folder: Path) -> dict[str, pd.DataFrame]:
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


def forecast_tickers(
    prices: Mapping[str, pd.DataFrame], moves: Mapping[str, PriceMoves], names: list[str], years: set[int]
) -> Iterator[Ticker]:
    """Yield the tickers of `names` with forecast origins in `years`, after FEWEST sound sessions."""
    for name in names:
        rows = np.arange(FIRST, len(moves[name]))
        is_tested = np.isin(pd.DatetimeIndex(moves[name].dates[rows]).year, list(years))
        sound = moves[name].sound
        enough = np.cumsum(sound)[rows] >= FEWEST
        ticker = Ticker(name, prices[name], moves[name], rows[is_tested & sound[rows] & enough])
        if len(ticker.rows):
            yield ticker


def moves_of(prices: Mapping[str, pd.DataFrame]) -> dict[str, PriceMoves]:
    """Return the moves of all tickers."""
    return {name: price_moves(each) for name, each in prices.items()}


def last_year(moves: Mapping[str, PriceMoves]) -> int:
    """Return the year of the newest session."""
    return int(max(pd.Timestamp(each.dates[-1]).year for each in moves.values()))


def scored(ticker: Ticker, quantiles: Quantiles) -> pd.DataFrame:
    """Return date, horizon, loss, inside (of the 90 % band), below (its lower end) of each origin with an outcome."""
    actual = ticker.moves.moves[0][ticker.rows][:, ANCHORS_SHOWN]
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
    """Return the standard error of the mean of `values`, clustered by date; NaN for fewer than two dates.

    With the usual factor for few clusters, dates / (dates - 1). Source: Cameron and Miller (2015), A Practitioner's
    Guide to Cluster-Robust Inference; statsmodels does the same.
    """
    sums = values.groupby(dates).sum().sort_index().to_numpy(dtype=float)
    centred = sums - values.groupby(dates).size().sort_index().to_numpy() * values.mean()
    count = len(sums)
    if count < 2:
        return float("nan")
    variance = count * bartlett_variance(centred, 2 * horizon) * count / (count - 1)
    return float(np.sqrt(variance) / len(values))


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


def rejections(scores: pd.DataFrame) -> tuple[int, int]:
    """Return the number of tickers whose 5 % value at risk Kupiec's test rejects at one session, and of all."""
    by_ticker = scores[scores["horizon"] == 1].groupby("ticker")["below"]
    p_values = [kupiec_test(hits.to_numpy(), 0.05).p_value for _, hits in by_ticker]
    return sum(p < 0.05 for p in p_values), len(p_values)


class CpuSeconds(defaultdict[str, float]):
    """CPU seconds of this process by name."""

    def __init__(self) -> None:
        super().__init__(float)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Add the CPU time of the block."""
        start = process_time()
        yield
        self[name] += process_time() - start
