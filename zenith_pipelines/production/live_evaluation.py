"""Score the Production model on sessions after its training data."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from zenith_core.evaluation.champion_challenger import LEVEL, coverage_p_value
from zenith_core.evaluation.metrics import price_metrics, signal_metrics
from zenith_core.features.targets import signal_labels
from zenith_core.inference import SIGNALS
from zenith_core.model_kinds.table import Kind, known_task
from zenith_core.names import model_name
from zenith_core.words import p_clause
from zenith_pipelines.models.onnx_artifact import metadata
from zenith_pipelines.production.champion_challenger import CurrentData, why_not_replayable
from zenith_pipelines.production.replay import artifact_horizon, replay_prices, replay_signals
from zenith_pipelines.registry.model_registry import ModelRegistry

BREACH = 0.01  # significance level; the test runs daily, so 0.05 would often give false alerts
_PRICE_FIGURES = ("mae", "mae_random_walk", "mase", "skill", "p_value", "coverage", "interval_width")
_SIGNAL_FIGURES = ("brier", "brier_baseline", "skill", "p_value", "accuracy", "accuracy_baseline", "ece")


def evaluate(registry: ModelRegistry, kind: Kind, current: CurrentData, closes: pd.Series) -> dict[str, Any]:
    """Score the Production model on sessions after its data end with known outcomes. JSON-ready.

    closes:  by session, NaN where suspect

    `status` is "scored", or the reason why nothing is scored, such as "no row yet". `rows` counts outcomes at the
    model's horizon. `breaches` describes, in words, significant failures: coverage, or a loss above the naive
    forecast's. Unknown figures are None.
    """
    empty: dict[str, Any] = {"version": None, "data_end": None, "rows": 0, "breaches": []}
    version = registry.production(model_name(kind, current.snapshot.ticker))
    if version is None:
        return {"status": "nothing in Production", **empty}
    model = {**empty, "version": version.version, "data_end": version.data_end}
    after = pd.Timestamp(version.data_end)
    if current.features.index[-1] <= after:
        return {"status": "no row yet", **model}
    task = known_task(kind)
    if problem := why_not_replayable(registry, task, version, current):
        return {"status": problem, **model}
    onnx = registry.load(version.name, version.version)
    figures = _SCORES[task](onnx, current.features, after, closes)
    status = "scored" if figures["rows"] else "no row yet"
    return {"status": status, **model, **figures, "until": str(current.features.index[-1].date())}


def _prices(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, closes: pd.Series) -> dict[str, Any]:
    forecasts = replay_prices(onnx, features, after, closes)
    horizon = artifact_horizon(onnx)
    metrics = price_metrics(forecasts, features["close"].dropna(), horizon)
    rows, coverage = metrics["rows"], metrics["coverage"]
    p_coverage = coverage_p_value(coverage, rows / horizon) if rows else None
    breaches = _losing(metrics)
    if p_coverage is not None and p_coverage < BREACH:
        breaches.append(
            f"the band held {coverage:.0%} of {rows} outcomes, not {LEVEL:.0%} ({p_clause('en', p_coverage)})"
        )
    figures = {name: metrics[name] for name in _PRICE_FIGURES}
    by_horizon = {
        horizon: {name: scores[name] for name in ("rows", *_PRICE_FIGURES)}
        for horizon, scores in metrics["by_horizon"].items()
    }
    return {"rows": rows, **figures, "coverage_p_value": p_coverage, "breaches": breaches, "by_horizon": by_horizon}


def _signals(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, closes: pd.Series) -> dict[str, Any]:
    signals = replay_signals(onnx, features, after, closes)
    config = metadata(onnx)["study"]["config"]
    before = features[features.index <= after]
    volatility = before["volatility"].to_numpy(dtype=float)
    earlier = signal_labels(
        closes.reindex(before.index).to_numpy(dtype=float), volatility, config["horizon"], config["threshold"]
    )
    labels = [SIGNALS[label] for label in earlier if label >= 0]
    metrics = signal_metrics(signals.assign(signal=""), config["horizon"], labels)
    return {
        "rows": metrics["rows"],
        **{name: metrics[name] for name in _SIGNAL_FIGURES},
        "breaches": _losing(metrics),
    }


_SCORES = {"price": _prices, "signal": _signals}


def _losing(metrics: Mapping[str, Any]) -> list[str]:
    """Return a sentence if the loss is significantly above the naive forecast's."""
    p_value, skill = metrics["p_value"], metrics["skill"]
    if p_value is None or skill is None or 1 - p_value >= BREACH or skill >= 0:
        return []
    return [
        f"worse than the naive forecast by {-skill:.1%} on {metrics['rows']} outcomes ({p_clause('en', 1 - p_value)})"
    ]
