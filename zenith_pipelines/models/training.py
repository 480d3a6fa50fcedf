"""Train a candidate model on a ticker's features, with its out-of-sample evidence. Knows neither Dagster nor MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib import import_module
from typing import Any, Protocol

import pandas as pd

from zenith_core.errors import TrainingError
from zenith_core.evaluation.metrics import price_metrics, signal_metrics
from zenith_core.evaluation.walk_forward import WalkForward
from zenith_core.features.declaration import WARM_UP
from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import labels_before
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import DEFAULT_WINDOW, EnsembleOptions, NetworkOptions, horizon_of
from zenith_core.model_kinds.tasks import Task
from zenith_pipelines.models.ensemble import EnsembleConfig
from zenith_pipelines.models.ensemble_walk_forward import study_signals
from zenith_pipelines.models.lineage import code_version, library_versions
from zenith_pipelines.models.lstm import LSTMConfig
from zenith_pipelines.models.lstm_walk_forward import study_prices
from zenith_pipelines.models.onnx_artifact import with_metadata
from zenith_pipelines.models.training_inputs import Progress

MIN_SESSIONS = WARM_UP + DEFAULT_WINDOW + WalkForward().min_samples
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


class Trainer(Protocol):
    """Trains a candidate of one kind with a configuration of that kind."""

    def __call__(self, data: TrainingData, options: Any, on_progress: Progress) -> Candidate:
        """Run a walk-forward study, then train the model to serve."""


def trainer_of_kind(kind: ModelKind) -> Trainer:
    """Import the trainer of a kind of model. Raises TrainingError if there is none under that name."""
    module, _, function = kind.trainer.partition(":")
    try:
        trainer: Trainer = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise TrainingError(f"the trainer of {kind.name}, {kind.trainer}, cannot be imported: {error}") from None
    return trainer


def train_lstm(data: TrainingData, options: NetworkOptions, on_progress: Progress) -> Candidate:
    """Run the walk-forward study of the LSTM, then train the model to serve."""
    return train_network("lstm", data, LSTMConfig.of(options), on_progress)


def train_network(kind: str, data: TrainingData, config: LSTMConfig, on_progress: Progress) -> Candidate:
    """Run the walk-forward study of a recurrent network, then train the model to serve."""
    study = study_prices(
        data.features, FEATURES, config, WalkForward(), on_progress, usable=data.usable, future=data.future
    )
    return price_candidate(kind, data, study.onnx, study.forecasts, study.facts)


def train_ensemble(data: TrainingData, options: EnsembleOptions, on_progress: Progress) -> Candidate:
    """Run the walk-forward study of RandomForest + XGBoost, then train the model to serve."""
    return train_votes("ensemble", data, options, on_progress)


def train_votes(kind: str, data: TrainingData, options: EnsembleOptions, on_progress: Progress) -> Candidate:
    """Run the walk-forward study of an ensemble under the name of its kind, then train the model to serve."""
    config = EnsembleConfig.of(options)
    study = study_signals(data.features, FEATURES, config, WalkForward(), on_progress, usable=data.usable)
    return signal_candidate(kind, data, study.onnx, study.signals, study.facts)


train_ensemble_1 = partial(train_votes, "ensemble_1")
train_ensemble_20 = partial(train_votes, "ensemble_20")


def price_candidate(
    kind: str, data: TrainingData, onnx: bytes, forecasts: pd.DataFrame, study: dict[str, Any]
) -> Candidate:
    """Score the walk-forward forecasts, and return the candidate.

    forecasts:  as `PriceStudy.forecasts`
    study:      JSON-ready facts; `config` holds `horizon`, and `window`, the sessions of the model's input
    """
    metrics = price_metrics(forecasts, data.features["close"], horizon_of({"study": study}))
    return _candidate(kind, "price", onnx, forecasts, metrics, study, data.lineage)


def signal_candidate(
    kind: str, data: TrainingData, onnx: bytes, signals: pd.DataFrame, study: dict[str, Any]
) -> Candidate:
    """Score the walk-forward signals, and return the candidate.

    signals:  as `SignalStudy.signals`
    study:    JSON-ready facts: `config` with the `horizon` and `threshold` of the labels, and `limits`
    """
    horizon, threshold = study["config"]["horizon"], study["config"]["threshold"]
    earlier = labels_before(data.features, signals["date"].iloc[0], horizon, threshold)
    metrics = signal_metrics(signals, horizon, earlier)
    return _candidate(kind, "signal", onnx, signals, metrics, study, data.lineage)


def _candidate(
    kind: str,
    task: Task,
    onnx: bytes,
    evidence: pd.DataFrame,
    metrics: dict[str, Any],
    study: dict[str, Any],
    lineage: Lineage,
) -> Candidate:
    facts = {
        "kind": kind,
        "task": task,
        **lineage.facts,
        "code_version": code_version(),
        "versions": library_versions(),
        "study": {"model": kind, **study},
    }
    artifact = with_metadata(onnx, {**facts, "evidence": metrics})
    return Candidate(kind=kind, onnx=artifact, evidence=evidence, metrics=metrics, facts=facts)
