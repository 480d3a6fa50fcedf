"""Count backtest trials for the deflated Sharpe ratio: the more trials, the luckier the best of them.

A trial is a backtest of a model version with some trading settings. MLflow keeps its figures as metrics of the
version's run, `backtest/<settings>/<figure>`. So refused versions count, and other settings for the same version count.
Repeating a backtest does not, because it replaces its own figures. A backtest without trades has no Sharpe ratio and is
not a trial.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zenith_core.backtesting.backtest import Backtest, BacktestConfig
from zenith_core.statistics.sharpe import sharpe_evidence
from zenith_pipelines.registry.model_registry import ModelRegistry

TRIAL_TAG = "backtest_of"
"""The tag of a run that names the model of its backtest."""


def assess_backtest(
    result: Backtest, config: BacktestConfig, model: Mapping[str, Any], registry: ModelRegistry
) -> Backtest:
    """Record a version's backtest as a trial of its model, and add the deflated Sharpe figures to its stats.

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
    return replace(result, stats={side: figures | evidence[side] for side, figures in result.stats.items()})


def sharpes_tried(registry: ModelRegistry, name: str) -> list[float]:
    """Return the annual out-of-sample Sharpe ratios of a model's trials, sorted so that sums are reproducible."""
    runs = registry.metrics_of_runs(TRIAL_TAG, name)
    return sorted(value for metrics in runs for key, value in metrics.items() if _is_sharpe(key))


def _record(registry: ModelRegistry, name: str, version: int, settings: str, figures: Mapping[str, Any]) -> None:
    metrics = {f"backtest/{settings}/{key}": float(value) for key, value in figures.items() if value is not None}
    registry.log_metrics(name, version, metrics, tags={TRIAL_TAG: name})


def _is_sharpe(key: str) -> bool:
    return key.startswith("backtest/") and key.endswith("/sharpe")


def _settings_text(config: BacktestConfig) -> str:
    """Return the trading settings as one word of characters that MLflow allows in metric names."""
    parts = [f"{'long-short' if config.allow_short else 'long'}-cost-{config.commission}-{config.slippage}"]
    parts += [f"volatility-{config.target_volatility}"] if config.target_volatility is not None else []
    parts += [f"holding-{config.holding_period}"] if config.holding_period is not None else []
    return "-".join(parts)
