"""Does the evaluation accept truth and reject noise? Whole studies on simulated markets with known truth.

noise:     a random walk: any claim of skill is wrong
edge:      a hidden state drives the drift and shows in volume; an oracle that trades on it has Sharpe 2
regime:    a random walk whose volatility changes between calm and wild
shuffled:  the bars of edge in random order, its volumes in their own: the same numbers, the link cut

A study does the same as `zenith run`: cleaning, features, walk-forward training, backtest; without store and registry.
Rows are saved in --out as they finish, so an interrupted run continues where it stopped.
"""

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness.figures import Figure, add_json, report

FIGURES = ("claims_noise", "claims_shuffled", "claims_regime", "excess", "found", "coverage", "pinball")
MARKETS = ("noise", "edge", "regime", "shuffled")
FLAT = ("noise", "shuffled", "regime")  # markets without an edge
HORIZONS = (1, 5, 20)
MODELS = ("lstm", "ensemble")
ORACLE = 2.0


def main() -> None:
    """Run the studies missing in --out; print the table, and each figure beside its bar."""
    arguments = _arguments()
    if arguments.afresh:
        arguments.out.unlink(missing_ok=True)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    studies = [(market, seed) for seed in seeds for market in arguments.markets]
    rows = {(row["market"], row["seed"]): row for row in _load(arguments.out)}
    for row in _run([study for study in studies if study not in rows], arguments):
        rows[row["market"], row["seed"]] = row
    table = pd.DataFrame([rows[study] for study in studies])
    show(table)
    report("truth_and_noise", figures(table), arguments.json)


def study(market: str, seed: int, epochs: int | None = None) -> dict:
    """Run one study; return its figures."""
    from zenith_core.backtesting.backtest import BacktestConfig, backtest, forecast_signals
    from zenith_core.evaluation.metrics import HEADLINE_HORIZON
    from zenith_core.features.model_features import features
    from zenith_core.model_kinds.options import EnsembleOptions, NetworkOptions
    from zenith_core.prices.cleaning import clean_prices
    from zenith_pipelines.models.training import Lineage, TrainingData, train_ensemble, train_lstm

    start = time.perf_counter()
    ticker = f"SIM-{'EDGE' if market == 'shuffled' else market.upper()}-{seed}"
    cleaned = clean_prices(_bars(market, ticker, seed), ticker).prices
    lineage = Lineage(ticker, data_version="", raw_content_hash="", data_end="", feature_spec="")
    data = TrainingData(features=features(cleaned), usable=~cleaned["suspect"], future=[], lineage=lineage)
    options = NetworkOptions(epochs=epochs) if epochs else NetworkOptions()
    lstm = train_lstm(data, options, lambda *_: None)
    ensemble = train_ensemble(data, EnsembleOptions(), lambda *_: None)
    costs = BacktestConfig(holding_period=HEADLINE_HORIZON)
    signals = {
        "lstm": forecast_signals(lstm.evidence, HEADLINE_HORIZON, threshold=costs.round_trip_cost),
        "ensemble": ensemble.evidence.set_index("date")["signal"],
    }
    row: dict = {"market": market, "seed": seed, "oracle_sharpe": _oracle_sharpe(market, ticker)}
    for name, candidate in (("lstm", lstm), ("ensemble", ensemble)):
        row |= {f"{name}_{key}": candidate.metrics[key] for key in ("skill", "p_value", "beats_naive")}
        row |= _excess(name, backtest(cleaned, signals[name], costs).stats)
    for horizon in HORIZONS:
        figures = lstm.metrics["by_horizon"][str(horizon)]
        row |= {f"{key}_{horizon}": figures.get(key) for key in ("rows", "coverage", "pinball", "pinball_static")}
    return row | {"seconds": time.perf_counter() - start}


def show(rows: pd.DataFrame) -> None:
    """Print a table with a line per market and model."""
    print(f"{'market':<10}{'model':<10}{'runs':>5}{'claims':>8}{'skill':>8}{'excess Sharpe':>20}{'exposure':>10}")
    for market, runs in rows.groupby("market", sort=False):
        for model in MODELS:
            claims, skill = runs[f"{model}_beats_naive"].astype(bool), runs[f"{model}_skill"].astype(float).mean()
            mean, error = _mean_and_error(runs[f"{model}_excess_sharpe"])
            exposure = runs[f"{model}_exposure"].astype(float).mean()
            print(
                f"{market:<10}{model:<10}{len(runs):>5}{claims.sum():>8}{skill:>8.1%}"
                f"{mean:>11.2f} ± {error:<6.2f}{exposure:>10.0%}"
            )
    print(f"median time of a study: {rows['seconds'].median():.0f} s of one worker")


def figures(rows: pd.DataFrame) -> list[Figure]:
    """Return the figures of bars.toml for the markets in `rows`."""
    by_market = {str(market): runs for market, runs in rows.groupby("market", sort=False)}
    results = [Figure(f"claims_{market}", _claims(by_market[market])) for market in FLAT if market in by_market]
    if "noise" in by_market and len(by_market["noise"]) > 1:
        results.append(Figure("excess", max(_standard_errors(by_market["noise"], model) for model in MODELS)))
    if "edge" in by_market:
        either = [by_market["edge"][f"{model}_beats_naive"].astype(bool) for model in MODELS]
        results.append(Figure("found", float((either[0] | either[1]).mean())))
    coverages = [_coverage(runs, horizon) for runs in by_market.values() for horizon in HORIZONS]
    results.append(Figure("coverage", max(coverages, key=lambda share: abs(share - 0.9))))
    ours, static = (float(1e4 * rows[column].mean()) for column in ("pinball_1", "pinball_static_1"))
    return [*results, Figure("pinball", ours, static)]


def _claims(runs: pd.DataFrame) -> float:
    """Return the share of runs with a claim of skill, for the model with more claims."""
    return max(float(runs[f"{model}_beats_naive"].astype(bool).mean()) for model in MODELS)


def _standard_errors(runs: pd.DataFrame, model: str) -> float:
    """Return the mean excess Sharpe ratio in units of its standard error."""
    mean, error = _mean_and_error(runs[f"{model}_excess_sharpe"])
    return mean / error if error else 0.0


def _coverage(runs: pd.DataFrame, horizon: int) -> float:
    return float(np.average(runs[f"coverage_{horizon}"], weights=runs[f"rows_{horizon}"]))


def _bars(market: str, ticker: str, seed: int) -> pd.DataFrame:
    from zenith_pipelines.ingestion.sources.simulated import SimulatedSource

    prices = SimulatedSource(ORACLE).fetch(ticker).prices
    return _shuffled(prices, np.random.default_rng(seed)) if market == "shuffled" else prices


def _shuffled(prices: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Shuffle the shapes of the bars, and chain them again from the first close; the volumes keep their order."""
    columns = ["open", "high", "low", "close"]
    before = prices["close"].shift(1)
    shapes = prices[columns].div(before, axis=0).iloc[1:].to_numpy()
    shapes = random.permutation(shapes)
    closes = prices["close"].iloc[0] * np.cumprod(np.concatenate([[1.0], shapes[:, 3]]))
    bars = prices.copy()
    bars.iloc[1:, [prices.columns.get_loc(name) for name in columns]] = shapes * closes[:-1, None]
    return bars


def _oracle_sharpe(market: str, ticker: str) -> float | None:
    """Return the Sharpe ratio, without costs, of an oracle that is long while the hidden state is positive."""
    from zenith_pipelines.ingestion.sources.simulated import SimulatedSource

    if market != "edge":
        return None
    truth = SimulatedSource(ORACLE).market(ticker)
    returns = np.expm1(truth.returns[1:]) * (truth.state[:-1] > 0)
    return float(returns.mean() / returns.std(ddof=1) * np.sqrt(252))


def _excess(name: str, stats: dict) -> dict:
    """Return the Sharpe ratio in excess of buy-and-hold. A strategy that never trades holds cash and has 0."""
    own, benchmark = stats["strategy"], stats["buy_and_hold"]
    sharpe = own["sharpe"] or 0.0
    return {
        f"{name}_sharpe": sharpe,
        f"{name}_excess_sharpe": sharpe - (benchmark["sharpe"] or 0.0),
        f"{name}_exposure": own["exposure"],
    }


def _mean_and_error(values: pd.Series) -> tuple[float, float]:
    numbers = values.astype(float)
    return float(numbers.mean()), float(numbers.std(ddof=1) / np.sqrt(len(numbers))) if len(numbers) > 1 else 0.0


def _run(todo: list[tuple[str, int]], arguments: argparse.Namespace) -> list[dict]:
    """Run studies in processes that are replaced every few studies, because each Keras fit leaks some memory."""
    from rich.progress import track

    rows: list[dict] = []
    studies = [(market, seed, arguments.epochs) for market, seed in todo]
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.jobs, _prepare, (arguments.out.parent,), maxtasksperchild=8) as pool:
        for row in track(pool.imap_unordered(_study, studies), description="studies", total=len(studies)):
            rows.append(row)
            with arguments.out.open("a") as out:
                out.write(json.dumps(row) + "\n")
    return rows


def _study(arguments: tuple[str, int, int | None]) -> dict:
    return study(*arguments)


def _prepare(folder: Path) -> None:
    import os

    from zenith_pipelines.models import prepare_backend

    os.environ["OMP_NUM_THREADS"] = "1"
    prepare_backend("jax", folder)


def _load(out: Path) -> list[dict]:
    out.parent.mkdir(parents=True, exist_ok=True)
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=40, help="seeds of each market (default 40)")
    parser.add_argument(
        "--first", type=int, default=1, help="first seed; 500 and above were used for tuning (default 1)"
    )
    parser.add_argument(
        "--markets", type=lambda text: text.split(","), default=list(MARKETS), help="comma-separated (default all)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="studies to run in parallel (default 2)")
    parser.add_argument("--epochs", type=int, help="training epochs of the LSTM (default: its own)")
    parser.add_argument("--out", type=Path, default=Path(".zenith/benchmarks/truth_and_noise.jsonl"))
    parser.add_argument(
        "--afresh", action="store_true", help="delete the rows in --out first, for example those of older code"
    )
    add_json(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
