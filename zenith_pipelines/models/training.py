"""Train a candidate model on a ticker's features, with its out-of-sample evidence. Knows neither Dagster nor MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from zenith_core.evaluation.metrics import price_metrics, signal_metrics
from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.features.model_features import FEATURES, WARM_UP
from zenith_core.features.targets import signal_labels
from zenith_core.inference import SIGNALS
from zenith_pipelines.models.ensemble import EnsembleConfig
from zenith_pipelines.models.ensemble_walk_forward import study_signals
from zenith_pipelines.models.lineage import code_version, library_versions
from zenith_pipelines.models.lstm import LSTMConfig
from zenith_pipelines.models.lstm_walk_forward import study_prices
from zenith_pipelines.models.onnx_artifact import with_metadata
from zenith_pipelines.models.training_inputs import Progress

MIN_SESSIONS = WARM_UP + LSTMConfig().window + WalkForward().min_samples
"""Sessions needed for the indicators' warm-up, the first window and the walk-forward folds."""


@dataclass(frozen=True)
class Lineage:
    """The data behind a model, to trace it to its rows.

    data_version:     content hash of the cleaned prices
    raw_content_hash: content hash of their raw snapshot
    """

    ticker: str
    data_version: str
    raw_content_hash: str
    data_end: str
    feature_spec: str

    @property
    def facts(self) -> dict[str, str]:
        """The lineage as JSON-ready values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Candidate:
    """A trained model with its evidence.

    onnx:      the self-contained artifact
    evidence:  walk-forward output, one row per out-of-sample forecast (and horizon)
    metrics:   metrics of the evidence, beside their baselines
    facts:     configuration, folds, lineage, library versions
    """

    kind: str
    onnx: bytes
    evidence: pd.DataFrame
    metrics: dict[str, Any]
    facts: dict[str, Any]


@dataclass(frozen=True)
class TrainingData:
    """The data to train a model on.

    features:  by session, of `zenith_core.features.model_features.features`
    usable:    by session, False where the close must not become a target: it is suspect, or stands still
    future:    the sessions after the last, for the target dates of immature forecasts
    """

    features: pd.DataFrame
    usable: pd.Series
    future: Sequence[date]
    lineage: Lineage


def train_lstm(data: TrainingData, config: LSTMConfig, on_progress: Progress) -> Candidate:
    """Run the walk-forward study of the LSTM, then train the model to serve."""
    study = study_prices(
        data.features, FEATURES, config, WalkForward(), on_progress, usable=data.usable, future=data.future
    )
    metrics = price_metrics(study.forecasts, data.features["close"])
    return _candidate("lstm", study.onnx, study.forecasts, metrics, study.facts, data.lineage)


def train_ensemble(data: TrainingData, config: EnsembleConfig, on_progress: Progress) -> Candidate:
    """Run the walk-forward study of RandomForest + XGBoost, then train the model to serve."""
    study = study_signals(data.features, FEATURES, config, WalkForward(), on_progress, usable=data.usable)
    earlier = _labels_before(data.features, study.signals["date"].iloc[0], config)
    metrics = signal_metrics(study.signals, config.horizon, earlier)
    return _candidate("ensemble", study.onnx, study.signals, metrics, study.facts, data.lineage)


def _labels_before(features: pd.DataFrame, first: pd.Timestamp, config: EnsembleConfig) -> list[str]:
    """Return the labels that the baseline knows at the first forecast."""
    close, volatility = features["close"].to_numpy(), features["volatility"].to_numpy()
    labels = signal_labels(close, volatility, config.horizon, config.threshold)
    past_labels = labels[: max(int(features.index.searchsorted(first)) - config.horizon, 0)]
    return [SIGNALS[label] for label in past_labels if label >= 0]


def _candidate(
    kind: str, onnx: bytes, evidence: pd.DataFrame, metrics: dict[str, Any], study: dict[str, Any], lineage: Lineage
) -> Candidate:
    facts = {
        "kind": kind,
        **lineage.facts,
        "code_version": code_version(),
        "versions": library_versions(),
        "study": study,
    }
    artifact = with_metadata(onnx, {**facts, "evidence": metrics})
    return Candidate(kind=kind, onnx=artifact, evidence=evidence, metrics=metrics, facts=facts)
