"""Gather the report's data from datasets, and store the page with each model in MLflow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from zenith_core.backtesting.backtest import Backtest
from zenith_core.evaluation.leaderboard import Contender, leaderboard
from zenith_core.evaluation.past_bands import in_past_bands
from zenith_core.evidence.verdicts import band_metrics
from zenith_core.inference import QUANTILES, forecast_prices, in_served_bands
from zenith_core.market.listing import unit_text
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.options import horizon_of, window_of
from zenith_core.model_kinds.table import MODEL_KINDS, Kind, kinds_of
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import DISCLAIMER
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.models.onnx_artifact import onnx_run
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.reports.formatting import NOTHING
from zenith_pipelines.risk.scale_prior import priors

_LINEAGE: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "registered as": lambda facts: f"{facts['model']} version {facts['version']}",
    "data until": lambda facts: facts["data_end"],
    "cleaned data": lambda facts: facts["data_version"],
    "raw content hash": lambda facts: facts["raw_content_hash"],
    "feature spec": lambda facts: facts["feature_spec"],
    "code": lambda facts: facts["code_version"],
    "libraries": lambda facts: ", ".join(f"{name} {text}" for name, text in facts["versions"].items()),
}

_PLOTS: Mapping[Task, tuple[str, ...]] = {
    "price": ("price_fan", "skill_by_horizon", "coverage_by_horizon"),
    "signal": ("confusion_matrix", "reliability", "feature_importances"),
}


@dataclass(frozen=True)
class ReportData:
    """The data that the page shows.

    prices:          cleaned prices; the last row is the forecast origin
    forecasts:       walk-forward price forecasts, in the bands that are served
    signals:         walk-forward signals
    price_metrics:   of `zenith_core.evaluation.metrics.price_metrics`; signal_metrics likewise
    latest:          date, price, lower, q25, q75, upper of future sessions; may be empty
    price_study:     facts of the walk-forward study (`PriceStudy.facts`); signal_study likewise
    backtests:       by kind of model, in the order shown; trading: their settings
    leaderboards:    by task with several models, of `zenith_core.evaluation.leaderboard`
    leakage:         the certificate of the features; empty if there is none
    lineage:         origins of each model, in the order of `backtests`, by name, in the order shown
    listing:         exchange, instrument and name of the ticker
    risk_record:     `walk_forward_record`; empty if there is none
    scale_version:   of the scale behind the bands; empty if they are the price model's own
    """

    ticker: str
    currency: str
    prices: pd.DataFrame
    forecasts: pd.DataFrame
    signals: pd.DataFrame
    price_metrics: dict[str, Any]
    signal_metrics: dict[str, Any]
    backtests: Mapping[Kind, Backtest]
    latest: pd.DataFrame
    price_study: Mapping[str, Any] = field(default_factory=dict)
    signal_study: Mapping[str, Any] = field(default_factory=dict)
    trading: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    leakage: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    leaderboards: Mapping[Task, Mapping[str, Any]] = field(default_factory=dict)
    listing: Mapping[str, str] = field(default_factory=dict)
    risk_record: Mapping[str, Any] = field(default_factory=dict)
    scale_version: str = ""
    disclaimer: str = DISCLAIMER

    @property
    def about(self) -> str:
        """The name, instrument, exchange and unit of the prices in one line; empty if nothing is known."""
        parts = [self.listing.get(key) for key in ("name", "instrument", "exchange")]
        return " · ".join(filter(None, [*parts, unit_text(self.currency)]))

    @property
    def band_metrics(self) -> Mapping[str, Any]:
        """The figures of the bands that are served, in the form of `price_metrics`.

        Of the walk-forward record of the bands, or of the model where they are its own.
        """
        if not self.scale_version:
            return self.price_metrics
        return band_metrics(self.price_metrics, self.risk_record)


def gather_report_data(
    snapshot: ServingSnapshot,
    registry: ModelRegistry,
    cleaned: Dataset,
    features: Dataset,
    models: Mapping[str, Dataset],
    backtests: Mapping[str, Dataset],
) -> ReportData:
    """Gather the data of one ticker's page; `models` and `backtests` by kind.

    Raises NotAvailable for a version that the registry does not have.
    """
    price, signal = (models[ANSWERS.of(snapshot.ticker)[task]] for task in ("price", "signal"))
    onnx = registry.load(price.facts["model"], price.facts["version"])
    distribution, forecasts = snapshot.distribution, price.table
    if distribution:  # the plot shows one horizon
        headline = forecasts["horizon"] == price.facts["metrics"]["horizon"]
        forecasts = in_past_bands(forecasts[headline], cleaned.tables["prices"], priors())
    return ReportData(
        ticker=snapshot.ticker,
        currency=snapshot.currency,
        prices=cleaned.tables["prices"],
        forecasts=forecasts,
        signals=signal.table,
        price_metrics=price.facts["metrics"],
        signal_metrics=signal.facts["metrics"],
        backtests={kind: _backtest(backtest) for kind, backtest in backtests.items()},
        latest=_latest(snapshot, onnx, window_of(price.facts)),
        price_study=price.facts["study"],
        signal_study=signal.facts["study"],
        trading={kind: backtest.facts["config"] for kind, backtest in backtests.items()},
        listing=snapshot.listing,
        risk_record=snapshot.risk_record,
        scale_version=distribution.scale_version if distribution else "",
        leakage=features.facts.get("leakage", {}),
        lineage={
            **{name: tuple(text(model.facts) for model in models.values()) for name, text in _LINEAGE.items()},
            "leakage certificate": tuple(_certificate(registry, model) for model in models.values()),
        },
        leaderboards={
            task: leaderboard(task, contenders, answering, features.table)
            for task, answering in ANSWERS.of(snapshot.ticker).items()
            if len(contenders := [_contender(kind, models[kind]) for kind in kinds_of(task) if kind in models]) > 1
        },
    )


def _contender(kind: Kind, model: Dataset) -> Contender:
    facts = model.facts
    threshold = facts["study"].get("config", {}).get("threshold")
    return Contender(kind, facts["version"], facts["data_end"], model.table, horizon_of(facts), threshold)


def plots_of(kind: Kind, ticker: str) -> tuple[str, ...]:
    """Return the plots stored in MLflow with a kind of model: those of its task, if it answers that, and its equity."""
    task = MODEL_KINDS[kind].task
    return (*(_PLOTS[task] if ANSWERS.of(ticker)[task] == kind else ()), f"{kind}_equity")


def log_report(registry: ModelRegistry, models: Mapping[str, Dataset], page: bytes, plots: Mapping[str, bytes]) -> None:
    """Store the page, and the `plots` (PNG by name) of its kind, with the MLflow run of each model version."""
    for kind, model in models.items():
        files = {f"plots/{name}.png": plots[name] for name in plots_of(kind, model.facts["ticker"])}
        registry.log_files(model.facts["model"], model.facts["version"], {"report.html": page, **files})


def _certificate(registry: ModelRegistry, model: Dataset) -> str:
    """Return the leakage tag of the registered version."""
    matches = (v for v in registry.versions(model.facts["model"]) if v.version == model.facts["version"])
    return next((version.tags.get("leakage", NOTHING) for version in matches), NOTHING)


def _latest(snapshot: ServingSnapshot, onnx: bytes, window: int) -> pd.DataFrame:
    forecast = in_served_bands(forecast_prices(onnx_run(onnx), snapshot, window), snapshot.distribution, snapshot.close)
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
