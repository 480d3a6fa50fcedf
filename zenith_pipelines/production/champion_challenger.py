"""Gather the evidence for `promotion_gates`: candidate, champion, and the rows to score both on."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from zenith_core.evaluation.champion_challenger import (
    compare_prices,
    compare_signals,
    coverages,
    price_pairs,
    signal_pairs,
)
from zenith_core.inference import forecast_prices, signal_probabilities
from zenith_core.model_kinds.tasks import TASKS, Task
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.atomic_files import parquet_table
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.models.onnx_artifact import onnx_run
from zenith_pipelines.production.promotion_gates import (
    Decision,
    Gate,
    answers_gate,
    calibration_gate,
    coverage_gate,
    data_end_gate,
    decide,
    evidence_gate,
    horizon_gate,
    leakage_gate,
    loss_gate,
)
from zenith_pipelines.production.replay import REPLAYS
from zenith_pipelines.registry.model_registry import ModelRegistry, Version


@dataclass(frozen=True)
class CurrentData:
    """A ticker's data today: the serving snapshot, and the feature table of its own feature spec."""

    snapshot: ServingSnapshot
    features: pd.DataFrame

    @classmethod
    def read(cls, store: DatasetStore, ticker: str) -> Self:
        """Read it from the stored datasets. Raises NotAvailable."""
        snapshot = ServingSnapshot.from_json(dict(store.read("serving_snapshot", ticker).facts))
        return cls(snapshot, store.read("indicator_features", ticker).table)


def evaluate_gates(
    registry: ModelRegistry, task: Task, candidate: Version, champion: Version | None, current: CurrentData
) -> Decision:
    """Put the candidate through the gates. A first model (no champion) passes only those of sanity."""
    evidence, metrics = evidence_of(registry, candidate), registry.metrics(candidate.name, candidate.version)
    sanity = [
        answers_gate(why_unservable(registry, task, candidate, current)),
        leakage_gate(candidate.tags.get("leakage")),
        evidence_gate(_scored_rows(task, evidence)),
    ]
    against_champion = None
    if champion is not None:
        served = current.snapshot.as_of.isoformat()
        against_champion = [data_end_gate(candidate.data_end, champion.data_end, served)]
        # A champion that has seen later prices than those that are served cannot forecast from them: it is no rival.
        if evidence is not None and champion.data_end <= served:
            against_champion += _comparison_gates(registry, task, candidate, champion, evidence, current, dict(metrics))
    return decide(sanity, against_champion, beats_naive=bool(metrics.get("beats_naive")))


def why_unservable(registry: ModelRegistry, task: Task, version: Version, current: CurrentData) -> str | None:
    """Load the version and forecast once. Return the problem, or None if the forecast is finite."""
    snapshot = current.snapshot.for_spec(version.tags.get("feature_spec", ""))
    if snapshot is None:
        return _other_features(version, current)
    if task == "price" and len(snapshot.window) < version.window and "window" in version.tags:
        return (
            f"needs {version.window} sessions, the snapshot holds {len(snapshot.window)}: "
            f"materialize serving_snapshot with window={version.window}"
        )
    try:
        run = onnx_run(registry.load(version.name, version.version))
        if task == "signal":
            forecast = np.array(list(signal_probabilities(run, snapshot).values()))
        else:
            forecast = forecast_prices(run, snapshot, version.window).quantiles
    except Exception as error:  # neither ONNX Runtime nor MLflow's artifact stores have a common base class
        return f"does not load or forecast: {' '.join(str(error).split())[:200]}"
    return None if np.isfinite(forecast).all() else "its forecast is not finite"


def why_not_replayable(registry: ModelRegistry, task: Task, version: Version, current: CurrentData) -> str | None:
    """Return the reason why the version cannot forecast from the rows of `current.features`, or None."""
    if version.tags.get("feature_spec") != current.snapshot.feature_spec:
        return _other_features(version, current)
    return why_unservable(registry, task, version, current)


def _other_features(version: Version, current: CurrentData) -> str:
    return f"was trained on features {version.tags.get('feature_spec')}, today's are {current.snapshot.feature_spec}"


def evidence_of(registry: ModelRegistry, version: Version) -> pd.DataFrame | None:
    """Return the version's walk-forward forecasts, or None if its run has none (any more)."""
    try:
        return parquet_table(registry.file(version.name, version.version, "evidence.parquet"))
    except Exception:  # each of MLflow's artifact stores raises its own error for a missing file
        return None


def _scored_rows(task: Task, evidence: pd.DataFrame | None) -> int:
    if evidence is None:
        return 0
    return int((evidence["label"] != "").sum() if task == "signal" else evidence["actual"].notna().sum())


def _comparison_gates(
    registry: ModelRegistry,
    task: Task,
    candidate: Version,
    champion: Version,
    evidence: pd.DataFrame,
    current: CurrentData,
    metrics: dict[str, float],
) -> list[Gate]:
    """Return the gates on rows that were out of sample for both models.

    Signals of different horizons have different labels: there is nothing to compare.
    """
    if task == "signal" and candidate.horizon != champion.horizon:
        return [horizon_gate(candidate.horizon, champion.horizon)]
    earlier = evidence_of(registry, champion)
    newer, note = _newer_forecasts(registry, task, champion, evidence, current)
    if earlier is None:
        note = "; ".join(filter(None, ["Production's own evidence is gone", note]))
    tables = [table for table in (earlier, newer) if table is not None and len(table)]
    other = pd.concat(tables, ignore_index=True) if tables else evidence.iloc[:0]
    if task == "signal":
        pairs = signal_pairs(evidence, other)
        comparison = compare_signals(pairs, candidate.horizon)
        last: Gate = calibration_gate(metrics, comparison)
    else:
        pairs = price_pairs(evidence, other)
        comparison = compare_prices(pairs)
        last = coverage_gate(coverages(pairs))
    newer_origins = int(pairs.loc[pairs["origin"] > pd.Timestamp(champion.data_end), "origin"].nunique())
    return [loss_gate(comparison, newer_origins, note), last]


def _newer_forecasts(
    registry: ModelRegistry, task: Task, champion: Version, evidence: pd.DataFrame, current: CurrentData
) -> tuple[pd.DataFrame | None, str]:
    """Return the champion's forecasts from origins after its training data; if there are none, None and the reason."""
    end = pd.Timestamp(champion.data_end)
    if not (evidence[TASKS[task].origin] > end).any() or current.features.index[-1] <= end:
        return None, ""
    if problem := why_not_replayable(registry, task, champion, current):
        return None, f"Production could not forecast newer sessions: it {problem}"
    onnx = registry.load(champion.name, champion.version)
    return REPLAYS[task](onnx, current.features, end, current.features["close"]), ""
