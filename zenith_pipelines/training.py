"""A ticker's features in, a candidate model with its out-of-sample evidence out. Knows neither Dagster nor MLflow."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pandas as pd

from zenith_core.features import FEATURES
from zenith_core.metrics import price_metrics, signal_metrics
from zenith_core.splits import WalkForward
from zenith_pipelines.models.artifact import with_metadata
from zenith_pipelines.models.ensemble import EnsembleConfig
from zenith_pipelines.models.lstm import LSTMConfig
from zenith_pipelines.models.price_study import study_prices
from zenith_pipelines.models.signal_study import study_signals

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Lineage:
    """What a model was made from, so that it can be traced to its rows."""

    ticker: str
    data_version: str
    data_end: str
    feature_spec: str

    @property
    def facts(self) -> dict[str, str]:
        """The lineage as JSON-ready values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Candidate:
    """A trained model and what is known of it.

    onnx:      the self-contained artifact
    evidence:  walk-forward output, one row per forecast (and horizon) that was made out of sample
    metrics:   what the evidence amounts to, beside its baselines
    facts:     configuration, folds, lineage, library versions
    """

    kind: str
    onnx: bytes
    evidence: pd.DataFrame
    metrics: dict[str, Any]
    facts: dict[str, Any]


def train_lstm(
    features: pd.DataFrame, usable: pd.Series, lineage: Lineage, config: LSTMConfig, on_progress: OnProgress
) -> Candidate:
    """Walk the LSTM forward through `features`, then train it on all of them. `usable` marks rows fit as targets."""
    study = study_prices(features, FEATURES, config, WalkForward(), on_progress, usable=usable)
    metrics = price_metrics(study.forecasts)
    return _candidate("lstm", study.onnx, study.forecasts, metrics, study.facts, lineage)


def train_ensemble(
    features: pd.DataFrame, usable: pd.Series, lineage: Lineage, config: EnsembleConfig, on_progress: OnProgress
) -> Candidate:
    """Walk RandomForest + XGBoost forward through `features`, then train them on all of them."""
    study = study_signals(features, FEATURES, config, WalkForward(), on_progress, usable=usable)
    metrics = signal_metrics(study.signals)
    return _candidate("ensemble", study.onnx, study.signals, metrics, study.facts, lineage)


def _candidate(
    kind: str, onnx: bytes, evidence: pd.DataFrame, metrics: dict[str, Any], study: dict[str, Any], lineage: Lineage
) -> Candidate:
    facts = {"kind": kind, **lineage.facts, "versions": _library_versions(), "study": study}
    artifact = with_metadata(onnx, {**facts, "evidence": metrics})
    return Candidate(kind=kind, onnx=artifact, evidence=evidence, metrics=metrics, facts=facts)


def _library_versions() -> dict[str, str]:
    return {name: version(name) for name in ("zenith", "keras", "numpy", "onnx", "pandas", "scikit-learn", "ta")}
