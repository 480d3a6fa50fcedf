"""Gather the report's data from datasets, and store the page with each model in MLflow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from zenith_core.backtesting.backtest import Backtest
from zenith_core.inference import QUANTILES, forecast_prices
from zenith_core.names import DISCLAIMER
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.models.onnx_artifact import onnx_run
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.reports.formatting import NOTHING

_LINEAGE: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "registered as": lambda facts: f"{facts['model']} version {facts['version']}",
    "data until": lambda facts: facts["data_end"],
    "cleaned data": lambda facts: facts["data_version"],
    "raw content hash": lambda facts: facts["raw_content_hash"],
    "feature spec": lambda facts: facts["feature_spec"],
    "code": lambda facts: facts["code_version"],
    "libraries": lambda facts: ", ".join(f"{name} {text}" for name, text in facts["versions"].items()),
}

PLOTS = {
    "lstm": ("price_fan", "skill_by_horizon", "coverage_by_horizon", "lstm_equity"),
    "ensemble": ("confusion_matrix", "reliability", "feature_importances", "ensemble_equity"),
}
"""The plots stored in MLflow with each kind of model."""


@dataclass(frozen=True)
class ReportData:
    """The data that the page shows.

    prices:          cleaned prices; the last row is the forecast origin
    forecasts:       walk-forward price forecasts
    signals:         walk-forward signals
    price_metrics:   of `zenith_core.evaluation.metrics.price_metrics`; signal_metrics likewise
    latest:          date, price, lower, q25, q75, upper of future sessions; may be empty
    price_study:     facts of the walk-forward study (`PriceStudy.facts`); signal_study likewise
    trading:         the settings of the backtests, by "lstm" and "ensemble"
    leakage:         the certificate of the features; empty if there is none
    lineage:         origins of the price and the signal model, by name, in the order shown
    """

    ticker: str
    currency: str
    prices: pd.DataFrame
    forecasts: pd.DataFrame
    signals: pd.DataFrame
    price_metrics: dict[str, Any]
    signal_metrics: dict[str, Any]
    lstm_backtest: Backtest
    ensemble_backtest: Backtest
    latest: pd.DataFrame
    price_study: Mapping[str, Any] = field(default_factory=dict)
    signal_study: Mapping[str, Any] = field(default_factory=dict)
    trading: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    leakage: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    disclaimer: str = DISCLAIMER


def gather_report_data(
    snapshot: ServingSnapshot,
    registry: ModelRegistry,
    cleaned: Dataset,
    features: Dataset,
    models: Mapping[str, Dataset],
    backtests: Mapping[str, Dataset],
) -> ReportData:
    """Gather the data of one ticker's page; `models` and `backtests` by kind, "lstm" and "ensemble".

    Raises NotAvailable for a version that the registry does not have.
    """
    lstm, ensemble = models["lstm"], models["ensemble"]
    onnx = registry.load(lstm.facts["model"], lstm.facts["version"])
    return ReportData(
        ticker=snapshot.ticker,
        currency=snapshot.currency,
        prices=cleaned.tables["prices"],
        forecasts=lstm.table,
        signals=ensemble.table,
        price_metrics=lstm.facts["metrics"],
        signal_metrics=ensemble.facts["metrics"],
        lstm_backtest=_backtest(backtests["lstm"]),
        ensemble_backtest=_backtest(backtests["ensemble"]),
        latest=_latest(snapshot, onnx),
        price_study=lstm.facts["study"],
        signal_study=ensemble.facts["study"],
        trading={kind: backtest.facts["config"] for kind, backtest in backtests.items()},
        leakage=features.facts.get("leakage", {}),
        lineage={
            **{name: (text(lstm.facts), text(ensemble.facts)) for name, text in _LINEAGE.items()},
            "leakage certificate": (_certificate(registry, lstm), _certificate(registry, ensemble)),
        },
    )


def log_report(registry: ModelRegistry, models: Mapping[str, Dataset], page: bytes, plots: Mapping[str, bytes]) -> None:
    """Store the page, and the `plots` (PNG by name) of its kind, with the MLflow run of each model version."""
    for kind, model in models.items():
        files = {f"plots/{name}.png": plots[name] for name in PLOTS[kind]}
        registry.log_files(model.facts["model"], model.facts["version"], {"report.html": page, **files})


def _certificate(registry: ModelRegistry, model: Dataset) -> str:
    """Return the leakage tag of the registered version."""
    matches = (v for v in registry.versions(model.facts["model"]) if v.version == model.facts["version"])
    return next((version.tags.get("leakage", NOTHING) for version in matches), NOTHING)


def _latest(snapshot: ServingSnapshot, onnx: bytes) -> pd.DataFrame:
    forecast = forecast_prices(onnx_run(onnx), snapshot)
    return pd.DataFrame(
        {
            "date": pd.DatetimeIndex(snapshot.next_sessions),
            "price": forecast.price,
            "lower": forecast.lower,
            "q25": forecast.quantiles[:, QUANTILES.index(0.25)],
            "q75": forecast.quantiles[:, QUANTILES.index(0.75)],
            "upper": forecast.upper,
        }
    )


def _backtest(dataset: Dataset) -> Backtest:
    return Backtest(dataset.tables["trades"], dataset.tables["equity"], dataset.facts["stats"])
