"""Coverage and pinball loss of our bands beside static rolling quantiles, GARCH(1,1), AutoETS and AutoTheta.

All forecast the same walk-forward test origins of the sample tickers and of N seeds of each simulated regime. Ours, the
GARCH (Student t) and the statsforecast models are fitted once per fold on data before its test rows, and then only
receive new closes. Our bands are centred on the last close, or on the LSTM's forecast with --lstm.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pandas as pd
from harness.figures import Figure, add_json, report
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from zenith_core.evaluation.probability_scores import QUANTILE_COLUMNS, pinball_loss, static_quantiles
from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.features.model_features import FEATURES, features
from zenith_core.features.targets import forward_log_returns, root_horizons, standardized_returns
from zenith_core.forecasting.prediction_intervals import BandCalibrator
from zenith_core.inference import HORIZONS, QUANTILES
from zenith_core.prices.cleaning import clean_prices
from zenith_pipelines.ingestion.sources import make_source
from zenith_pipelines.models.lstm import LSTMConfig
from zenith_pipelines.models.training_inputs import ModelInputs, model_inputs

GROUPS = ("sample", "noise", "edge", "regime")
PEERS = {"garch": "GARCH(1,1) t", "ets": "AutoETS", "theta": "AutoTheta"}
FIGURES = (
    *(f"{metric}_{group}" for metric in ("coverage", "pinball") for group in GROUPS),
    *("pinball_5", "pinball_20", *PEERS),
)
SHOWN = (1, 5, 20)
REGIMES = ("NOISE", "EDGE", "REGIME")
SAMPLE = ("AAPL", "GOOG", "IBM", "MSFT")
SPLIT = WalkForward()

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Market:
    """Inputs of a ticker, and the forecast origins of each fold."""

    inputs: ModelInputs
    table: pd.DataFrame
    folds: tuple[NDArray[np.int64], ...]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of all forecast origins, oldest first."""
        return np.concatenate(self.folds)


Method = Callable[[Market], Floats]
"""Quantiles of the growth factor from each row at each of SHOWN: (rows, horizons, levels)."""


def zenith(market: Market) -> Floats:
    """Return our bands around the last close."""
    inputs = market.inputs
    targets = standardized_returns(forward_log_returns(inputs.close, HORIZONS), inputs.volatility)
    calibrator = BandCalibrator(inputs.values, inputs.columns, inputs.volatility, targets, inputs.origins)
    offsets = [
        calibrator.offsets(calibrator.band_at(int(rows[0]), np.zeros(targets.shape)), rows) for rows in market.folds
    ]
    deviation = inputs.volatility[market.rows, np.newaxis] * root_horizons(HORIZONS)
    return np.exp(np.concatenate(offsets) * deviation[..., np.newaxis])[:, [h - 1 for h in SHOWN]]


def zenith_lstm(market: Market, epochs: int) -> Floats:
    """Return our bands around the LSTM's forecast."""
    from zenith_pipelines.models.lstm_walk_forward import study_prices

    study = study_prices(market.table, FEATURES, LSTMConfig(epochs=epochs), SPLIT)
    wide = study.forecasts[study.forecasts["origin"].isin(market.inputs.index[market.rows])]
    growth = wide[list(QUANTILE_COLUMNS)].to_numpy() / wide["close"].to_numpy()[:, np.newaxis]
    return growth.reshape(len(market.rows), HORIZONS, len(QUANTILES))[:, [h - 1 for h in SHOWN]]


def static(market: Market) -> Floats:
    """Return quantiles of the last 250 returns over each horizon."""
    return np.stack([static_quantiles(market.inputs.close, market.rows, h) for h in SHOWN], axis=1)


def garch(market: Market) -> Floats:
    """Forecast with GARCH(1,1): Student's t at one session; the sum over more sessions is assumed normal."""
    from arch import arch_model
    from scipy.stats import norm, t

    returns = 100 * np.diff(np.log(market.inputs.close))  # the one at k ends at row k + 1
    quantiles = []
    for rows in market.folds:
        estimate = arch_model(returns[: rows[0]], dist="t").fit(disp="off", show_warning=False)
        answer = arch_model(returns[: rows[-1]], dist="t").fix(estimate.params)
        variance = answer.forecast(horizon=max(SHOWN), start=int(rows[0]) - 1, reindex=False).variance.to_numpy()
        deviation = np.sqrt(variance.cumsum(axis=1))[rows - rows[0]] / 100
        freedom = estimate.params["nu"]
        heavy = t.ppf(QUANTILES, freedom) * np.sqrt((freedom - 2) / freedom)
        shape = [heavy if h == 1 else norm.ppf(QUANTILES) for h in SHOWN]
        drift = estimate.params["mu"] / 100 * np.array(SHOWN)[:, np.newaxis]
        quantiles.append(drift + deviation[:, [h - 1 for h in SHOWN], np.newaxis] * shape)
    return np.exp(np.concatenate(quantiles))


def statsforecast(market: Market, model: str) -> Floats:
    """Forecast the log closes with AutoETS or AutoTheta."""
    from statsforecast import models

    log_close = np.log(market.inputs.close)
    levels = [f"lo-{n}" for n in (90, 80, 50)] + ["mean"] + [f"hi-{n}" for n in (50, 80, 90)]
    quantiles = []
    for rows in market.folds:
        estimate = getattr(models, model)(season_length=1).fit(log_close[: rows[0] + 1])
        for row in rows:
            answer = estimate.forward(log_close[: row + 1], h=max(SHOWN), level=[50, 80, 90])
            ahead = np.stack([answer[level] for level in levels], axis=1)[[h - 1 for h in SHOWN]]
            quantiles.append(ahead - log_close[row])
    return np.exp(np.array(quantiles))


def methods(lstm_epochs: int) -> dict[str, Method]:
    """Return all methods by name, with the LSTM if it has epochs."""
    ours: dict[str, Method] = {"Zenith, last close": zenith}
    if lstm_epochs:
        ours["Zenith, LSTM"] = partial(zenith_lstm, epochs=lstm_epochs)
    return ours | {
        "static quantiles": static,
        "GARCH(1,1) t": garch,
        "AutoETS": partial(statsforecast, model="AutoETS"),
        "AutoTheta": partial(statsforecast, model="AutoTheta"),
    }


def markets(seeds: range, sample: bool, every: int) -> Iterator[tuple[str, Callable[[], Market]]]:
    """Yield groups and a function that loads a ticker."""
    for regime in REGIMES:
        for seed in seeds:
            yield regime.lower(), partial(_market, "simulated", f"SIM-{regime}-{seed}", every)
    for ticker in SAMPLE if sample else ():
        yield "sample", partial(_market, "sample", ticker, every)


def _market(source: str, ticker: str, every: int) -> Market:
    table = features(clean_prices(make_source(source).fetch(ticker).prices, ticker).prices)
    inputs = model_inputs(table, FEATURES, LSTMConfig().window, SPLIT)
    folds = tuple(inputs.origins[fold.test][::every] for fold in SPLIT.split(len(inputs.origins)))
    return Market(inputs, table, folds)


def scores(market: Market, quantiles: Floats) -> Floats:
    """Return the mean pinball loss and the coverage of the 90 % band at each of SHOWN: (2, horizons)."""
    growth = np.exp(forward_log_returns(market.inputs.close, max(SHOWN)))[market.rows]
    figures = []
    for at, horizon in enumerate(SHOWN):
        has_outcome = np.isfinite(growth[:, horizon - 1])
        actual, own = growth[has_outcome, horizon - 1], quantiles[has_outcome, at]
        inside = (own[:, 0] <= actual) & (actual <= own[:, -1])
        figures.append([pinball_loss(own, actual).mean(), inside.mean()])
    return np.array(figures).T


def show(group: str, by_method: dict[str, Floats]) -> None:
    """Print the figures of a group, (tickers, 2, horizons) by method."""
    means = {name: figures.mean(axis=0) for name, figures in by_method.items()}
    title = (
        f"{group}, {len(next(iter(by_method.values())))} tickers: 90 % coverage, pinball loss, reduction from static"
    )
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("", no_wrap=True)
    for horizon in SHOWN:
        table.add_column(f"h={horizon}", justify="right", no_wrap=True)
    for name, (pinball, coverage) in means.items():
        skill = 1 - pinball / means["static quantiles"][0]
        cells = [f"{c:.1%} {1e4 * p:.1f} {s:+.1%}" for c, p, s in zip(coverage, pinball, skill, strict=True)]
        table.add_row(name, *cells)
    Console().print(table)
    best = [min(means, key=lambda name: means[name][0][at]) for at in range(len(SHOWN))]
    print("lowest pinball loss: " + "; ".join(f"h={h} {name}" for h, name in zip(SHOWN, best, strict=True)) + "\n")


def figures(by_group: dict[str, dict[str, Floats]], together: dict[str, Floats], ours: str) -> list[Figure]:
    """Return coverage and loss by group, and loss beside each peer on all markets, in 1/10,000 of the close."""
    results = []
    for group, by_method in by_group.items():
        pinball, coverage = by_method[ours].mean(axis=0)
        static_pinball = by_method["static quantiles"].mean(axis=0)[0]
        results += [
            Figure(f"coverage_{group}", float(max(coverage, key=lambda share: abs(share - 0.9)))),
            Figure(f"pinball_{group}", float(1e4 * pinball[0]), float(1e4 * static_pinball[0])),
        ]
    loss = {name: 1e4 * figures.mean(axis=0)[0] for name, figures in together.items()}
    for at, horizon in enumerate(SHOWN[1:], start=1):
        results.append(Figure(f"pinball_{horizon}", float(loss[ours][at]), float(loss["static quantiles"][at])))
    return results + [Figure(name, float(loss[ours][0]), float(loss[peer][0])) for name, peer in PEERS.items()]


def main() -> None:
    """Measure all methods on all markets; print a table for each group and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="of each simulated regime")
    parser.add_argument("--first", type=int, default=1, help="first seed; 500 and above were used for tuning")
    parser.add_argument("--every", type=int, default=5, help="score every N-th origin")
    parser.add_argument("--no-sample", action="store_true", help="simulated markets only")
    parser.add_argument(
        "--lstm", type=int, default=0, metavar="EPOCHS", help="also train the LSTM, about a minute a ticker"
    )
    add_json(parser)
    arguments = parser.parse_args()
    if arguments.lstm:
        from zenith_pipelines.models import prepare_backend

        prepare_backend("jax", Path(gettempdir()) / "zenith-benchmarks")
    warnings.filterwarnings("ignore", module="arch|statsforecast")
    by_market: dict[str, dict[str, list[Floats]]] = {}
    todo = list(
        markets(range(arguments.first, arguments.first + arguments.seeds), not arguments.no_sample, arguments.every)
    )
    for group, load in track(todo, "tickers", console=Console(stderr=True)):
        market = load()
        for name, method in methods(arguments.lstm).items():
            by_market.setdefault(group, {}).setdefault(name, []).append(scores(market, method(market)))
    by_group = {group: {name: np.array(figures) for name, figures in each.items()} for group, each in by_market.items()}
    for group, by_method in by_group.items():
        show(group, by_method)
    together = {name: np.concatenate([each[name] for each in by_group.values()]) for name in methods(arguments.lstm)}
    show("all", together)
    print("pinball: mean over seven quantiles, in 1/10,000 of the close; reduction: beside static quantiles")
    ours = "Zenith, LSTM" if arguments.lstm else "Zenith, last close"
    report("bands", figures(by_group, together, ours), arguments.json)


if __name__ == "__main__":
    main()
