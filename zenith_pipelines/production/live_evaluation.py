"""How what is in Production does on sessions that came after its training: forecasts that nobody could have fitted."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from zenith_core.evaluation.champion_challenger import LEVEL, coverage_p_value
from zenith_core.evaluation.metrics import HEADLINE_HORIZON, price_metrics, signal_metrics
from zenith_core.features.targets import signal_labels
from zenith_core.inference import SIGNALS
from zenith_core.names import Kind, model_name
from zenith_pipelines.models.onnx_artifact import metadata
from zenith_pipelines.production.champion_challenger import CurrentData, why_unservable
from zenith_pipelines.production.replay import replayed_prices, replayed_signals
from zenith_pipelines.registry.model_registry import ModelRegistry

BREACH = 0.01  # p below which chance is no longer believed; it is asked every day, so 0.05 would often cry wolf
_PRICE_FIGURES = ("mae", "mae_random_walk", "mase", "skill", "p_value", "coverage", "interval_width")
_SIGNAL_FIGURES = ("brier", "brier_baseline", "skill", "p_value", "accuracy", "accuracy_baseline", "ece")


def evaluate(registry: ModelRegistry, kind: Kind, present: CurrentData, came: pd.Series) -> dict[str, Any]:
    """Score what is in Production on the sessions after its data end whose outcome is known. JSON-ready.

    came:  closes by session, NaN where they are not believed

    `status` is "scored", or why there is nothing to score: "no row yet" is one of the reasons. `rows` counts outcomes
    at the headline horizon. `breaches` says in words what chance does not explain: coverage, or a loss above the naive
    forecast's. Figures that are not known are None.
    """
    empty: dict[str, Any] = {"version": None, "data_end": None, "rows": 0, "breaches": []}
    version = registry.production(model_name(kind, present.snapshot.ticker))
    if version is None:
        return {"status": "nothing in Production", **empty}
    known = {**empty, "version": version.version, "data_end": version.data_end}
    after = pd.Timestamp(version.data_end)
    if present.features.index[-1] <= after:
        return {"status": "no row yet", **known}
    if problem := why_unservable(registry, kind, version, present):
        return {"status": problem, **known}
    onnx = registry.load(version.name, version.version)
    figures = (_signals if kind == "ensemble" else _prices)(onnx, present.features, after, came)
    status = "scored" if figures["rows"] else "no row yet"
    return {"status": status, **known, **figures, "until": str(present.features.index[-1].date())}


def _prices(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, came: pd.Series) -> dict[str, Any]:
    forecasts = replayed_prices(onnx, features, after, came)
    metrics = price_metrics(forecasts, features["close"].dropna())
    rows, coverage = metrics["rows"], metrics["coverage"]
    p_coverage = coverage_p_value(coverage, rows / HEADLINE_HORIZON) if rows else None
    breaches = _losing(metrics)
    if p_coverage is not None and p_coverage < BREACH:
        breaches.append(f"the band held {coverage:.0%} of {rows} outcomes, not {LEVEL:.0%} (p = {p_coverage:.4f})")
    figures = {name: metrics[name] for name in _PRICE_FIGURES}
    by_horizon = {
        horizon: {name: seen[name] for name in ("rows", *_PRICE_FIGURES)}
        for horizon, seen in metrics["by_horizon"].items()
    }
    return {"rows": rows, **figures, "coverage_p_value": p_coverage, "breaches": breaches, "by_horizon": by_horizon}


def _signals(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, came: pd.Series) -> dict[str, Any]:
    signals = replayed_signals(onnx, features, after, came)
    config = metadata(onnx)["study"]["config"]
    before = features[features.index <= after]
    volatility = before["volatility"].to_numpy(dtype=float)
    earlier = signal_labels(
        came.reindex(before.index).to_numpy(dtype=float), volatility, config["horizon"], config["threshold"]
    )
    labels = [SIGNALS[label] for label in earlier if label >= 0]
    metrics = signal_metrics(signals.assign(signal=""), config["horizon"], labels)
    return {
        "rows": metrics["rows"],
        **{name: metrics[name] for name in _SIGNAL_FIGURES},
        "breaches": _losing(metrics),
    }


def _losing(metrics: Mapping[str, Any]) -> list[str]:
    """What to say of a loss that is above the naive forecast's beyond chance."""
    p_value, skill = metrics["p_value"], metrics["skill"]
    if p_value is None or skill is None or 1 - p_value >= BREACH or skill >= 0:
        return []
    return [f"worse than the naive forecast by {-skill:.1%} on {metrics['rows']} outcomes (p = {1 - p_value:.4f})"]
