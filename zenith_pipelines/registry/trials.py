"""Count backtest trials for the deflated Sharpe ratio: the more trials, the luckier the best of them.

A trial is a backtest of a model version with some trading settings. MLflow keeps its figures as metrics of the
version's run, `backtest/<settings>/<figure>`. So refused versions count, and other settings for the same version count.
Repeating a backtest does not, because it replaces its own figures. A backtest without trades has no Sharpe ratio and is
not a trial.

The choice among tickers and kinds is deflated too: `trials_of_all` looks at the trials of all of them, which each
backtest keeps among its facts as `trial`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.backtesting.backtest import Backtest, BacktestConfig
from zenith_core.errors import ZenithError
from zenith_core.model_kinds.table import KINDS
from zenith_core.names import ALL_TICKERS, TRIALS
from zenith_core.statistics.performance import daily_returns
from zenith_core.statistics.selection import Selection, mean_correlation
from zenith_core.statistics.sharpe import ReturnMoments, return_moments, sharpe_evidence
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.registry.model_registry import ModelRegistry

_FIGURES = ("sharpe", "deflated_sharpe", "annual_return", "max_drawdown", "trades", "turnover")
"""The figures by which MLflow's users compare runs. The others are facts of the backtest."""

SHARPES = "backtest/%/sharpe"
"""The metrics that are trials, as an SQL pattern: clean-up keeps them for ever."""

TRIAL_TAG = "backtest_of"
"""The tag of a run that names the model of its backtest."""


def assess_backtest(
    result: Backtest, config: BacktestConfig, model: Mapping[str, Any], registry: ModelRegistry
) -> tuple[Backtest, dict[str, Any]]:
    """Record a version's backtest as a trial of its model, and add the deflated Sharpe figures to its stats.

    Returns it with the facts that `trials_of_all` needs.

    model:  facts of a model's dataset; `model` and `version` are used

    The version's tag `trials` is the number of trials at its last backtest. Raises NotAvailable if the registry does
    not have the version.
    """
    name, version, settings = model["model"], int(model["version"]), _settings_text(config)
    _record(registry, name, version, settings, result.stats["strategy"])
    own, passive = (result.equity[side].to_numpy(dtype=float) for side in ("strategy", "buy_and_hold"))
    sharpes = sharpes_tried(registry, name)
    registry.tag(name, version, {"trials": str(len(sharpes))})
    evidence = sharpe_evidence(own, passive, trials=sharpes, year=config.sessions_per_year)
    _record(registry, name, version, settings, evidence["strategy"])
    assessed = replace(result, stats={side: figures | evidence[side] for side, figures in result.stats.items()})
    return assessed, _trial(result, sharpes, config.sessions_per_year)


def publish_trials(store: DatasetStore, fence: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Store and return `trials_of_all`."""
    facts = trials_of_all(store)
    store.write(TRIALS, ALL_TICKERS, Dataset(facts=facts), fence=fence)
    return facts


def trials_of_all(store: DatasetStore) -> dict[str, Any]:
    """Return the trials of all tickers and kinds, and their newest backtests deflated by all of them. JSON-ready.

    Sharpe ratios are annual. `independent` counts independent trials, `expected_best` is the Sharpe ratio of the best
    of them without skill, `tickers` has `version`, `sharpe` and `deflated_sharpe` by ticker and kind.
    A backtest of an earlier release keeps no trial, and takes no part before the next training.
    """
    months: list[Mapping[str, float]] = []
    sharpes: list[float] = []
    newest: list[tuple[str, str, int, Mapping[str, Any]]] = []
    for ticker, kind, facts in _backtests(store):
        trial = facts["trial"]
        sharpes += trial["sharpes"]
        if trial["moments"]:
            months.append(dict(zip(trial["months"], trial["returns"], strict=True)))
            newest.append((ticker, kind, int(facts["model_version"]), {**trial, "months": (), "returns": ()}))
    variance = float(np.var(sorted(sharpes), ddof=1)) if len(sharpes) > 1 else 0.0
    selection = Selection(len(sharpes), mean_correlation(months), variance)
    tickers: dict[str, dict[str, Any]] = {}
    for ticker, kind, version, trial in newest:
        moments, year = ReturnMoments(**trial["moments"]), int(trial["year"])
        row = {"version": version, "sharpe": sqrt(year) * moments.sharpe}
        tickers.setdefault(ticker, {})[kind] = row | {"deflated_sharpe": selection.deflated(moments, year)}
    return {
        **asdict(selection),
        "independent": selection.independent,
        "expected_best": selection.expected_best,
        "tickers": tickers,
    }


def _backtests(store: DatasetStore) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield ticker, kind and facts of each backtest with a trial; damaged ones are left out."""
    for kind in KINDS:
        for ticker in store.tickers(f"{kind}_backtest"):
            with suppress(ZenithError):
                facts = store.facts(f"{kind}_backtest", ticker)
                if "trial" in facts:
                    yield ticker, kind, facts


def _trial(result: Backtest, sharpes: list[float], year: int) -> dict[str, Any]:
    """Return the moments and monthly returns of a backtest, and the annual Sharpe ratios of all trials of its model."""
    equity = result.equity["strategy"]
    moments = return_moments(daily_returns(equity.to_numpy(dtype=float)))
    ends = equity.groupby(pd.DatetimeIndex(result.equity["date"]).strftime("%Y-%m")).last()
    before = np.append(equity.iloc[0], ends.to_numpy()[:-1])
    returns = np.divide(ends.to_numpy(), before, out=np.ones(len(ends)), where=before > 0) - 1
    return {
        "sharpes": sharpes,
        "year": year,
        "moments": asdict(moments) if moments else None,
        "months": list(ends.index),
        "returns": [float(f"{value:.6g}") for value in returns],
    }


def sharpes_tried(registry: ModelRegistry, name: str) -> list[float]:
    """Return the annual out-of-sample Sharpe ratios of a model's trials, sorted so that sums are reproducible."""
    runs = registry.metrics_of_runs(TRIAL_TAG, name)
    return sorted(value for metrics in runs for key, value in metrics.items() if _is_sharpe(key))


def _record(registry: ModelRegistry, name: str, version: int, settings: str, figures: Mapping[str, Any]) -> None:
    metrics = {f"backtest/{settings}/{key}": float(figures[key]) for key in _FIGURES if figures.get(key) is not None}
    registry.log_metrics(name, version, metrics, tags={TRIAL_TAG: name})


def _is_sharpe(key: str) -> bool:
    first, last = SHARPES.split("%")
    return key.startswith(first) and key.endswith(last)


def _settings_text(config: BacktestConfig) -> str:
    """Return the trading settings as one word of characters that MLflow allows in metric names."""
    parts = [f"{'long-short' if config.allow_short else 'long'}-cost-{config.commission}-{config.slippage}"]
    parts += [f"volatility-{config.target_volatility}"] if config.target_volatility is not None else []
    parts += [f"holding-{config.holding_period}"] if config.holding_period is not None else []
    return "-".join(parts)
