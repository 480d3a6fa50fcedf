"""Trials: each backtest of each version of a model is one, and the more there were, the more luck the best one had.

MLflow remembers them: the figures of a backtest are metrics of its version's run, `backtest/<way of trading>/<figure>`.
So versions that were refused count, trading the same version in another way counts, and making the same backtest
again does not, as it replaces its own figures. A backtest without any trade has no Sharpe ratio and is no trial.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zenith_core.backtesting.backtest import Backtest, BacktestConfig
from zenith_core.statistics.sharpe import sharpe_evidence
from zenith_pipelines.registry.model_registry import ModelRegistry

_TAG = "backtest_of"


def assessed(result: Backtest, config: BacktestConfig, model: Mapping[str, Any], registry: ModelRegistry) -> Backtest:
    """Record the backtest of a version as a trial of its model, and add to its figures what luck makes of them.

    The version's tag `trials` says how many there were when it was last backtested.

    model: the facts of a model's dataset, of which `model` and `version` are read. Raises NotAvailable for a version
    that the registry does not have.
    """
    name, version, way = model["model"], int(model["version"]), _way_of_trading(config)
    _record(registry, name, version, way, result.stats["strategy"])
    own, held = (result.equity[who].to_numpy(dtype=float) for who in ("strategy", "buy_and_hold"))
    tried = sharpes_tried(registry, name)
    registry.tag(name, version, {"trials": str(len(tried))})
    evidence = sharpe_evidence(own, held, trials=tried)
    _record(registry, name, version, way, evidence["strategy"])
    return replace(result, stats={who: figures | evidence[who] for who, figures in result.stats.items()})


def sharpes_tried(registry: ModelRegistry, name: str) -> list[float]:
    """The annual out-of-sample Sharpe ratio of each trial of a model, sorted, so that sums over them repeat."""
    runs = registry.metrics_of_runs(_TAG, name)
    return sorted(value for metrics in runs for key, value in metrics.items() if _is_sharpe(key))


def _record(registry: ModelRegistry, name: str, version: int, way: str, figures: Mapping[str, Any]) -> None:
    known = {f"backtest/{way}/{key}": float(value) for key, value in figures.items() if value is not None}
    registry.log_metrics(name, version, known, tags={_TAG: name})


def _is_sharpe(key: str) -> bool:
    return key.startswith("backtest/") and key.endswith("/sharpe")


def _way_of_trading(config: BacktestConfig) -> str:
    """The settings in one word of what MLflow allows in the name of a metric."""
    ways = [f"{'long-short' if config.allow_short else 'long'}-cost-{config.commission}-{config.slippage}"]
    ways += [f"volatility-{config.target_volatility}"] if config.target_volatility is not None else []
    ways += [f"holding-{config.holding_period}"] if config.holding_period is not None else []
    return "-".join(ways)
