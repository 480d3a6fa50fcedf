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
from zenith_core.evaluation.metrics import HEADLINE_HORIZON
from zenith_core.inference import forecast_prices, signal_probabilities
from zenith_core.names import Kind
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
    leakage_gate,
    loss_gate,
)
from zenith_pipelines.production.replay import replayed_prices, replayed_signals
from zenith_pipelines.registry.model_registry import ModelRegistry, Version

_ORIGIN = {"lstm": "origin", "ensemble": "date"}  # the evidence's column that says when a forecast was made


@dataclass(frozen=True)
class CurrentData:
    """What is known of a ticker today: what serving would ask with, and the feature table that it comes from."""

    snapshot: ServingSnapshot
    features: pd.DataFrame

    @classmethod
    def read(cls, store: DatasetStore, ticker: str) -> Self:
        """As it is stored. Raises NotAvailable."""
        snapshot = ServingSnapshot.from_json(dict(store.read("serving_snapshot", ticker).facts))
        return cls(snapshot, store.read("indicator_features", ticker).table)


def evaluate_gates(
    registry: ModelRegistry, kind: Kind, candidate: Version, champion: Version | None, present: CurrentData
) -> Decision:
    """Put the candidate through the gates; a first model (no champion) through those of sanity only."""
    evidence, metrics = _evidence(registry, candidate), registry.metrics(candidate.name, candidate.version)
    sanity = [
        answers_gate(why_unservable(registry, kind, candidate, present)),
        leakage_gate(candidate.tags.get("leakage")),
        evidence_gate(_scored(kind, evidence)),
    ]
    earned = None
    if champion is not None:
        earned = [data_end_gate(candidate.data_end, champion.data_end)]
    if earned and champion and evidence is not None:
        earned += _compared(registry, kind, champion, evidence, present, dict(metrics))
    return decide(sanity, earned, beats_naive=bool(metrics.get("beats_naive")))


def why_unservable(registry: ModelRegistry, kind: Kind, version: Version, present: CurrentData) -> str | None:
    """Why the version cannot serve: it is loaded and asked once. None if it answers with finite numbers."""
    spec = version.tags.get("feature_spec")
    if spec != present.snapshot.feature_spec:
        return f"made for the features {spec}, today's are {present.snapshot.feature_spec}"
    try:
        run = onnx_run(registry.load(version.name, version.version))
        if kind == "ensemble":
            answer = np.array(list(signal_probabilities(run, present.snapshot).values()))
        else:
            answer = forecast_prices(run, present.snapshot).quantiles
    except Exception as error:  # neither ONNX Runtime nor MLflow's artifact stores have a common base class
        return f"does not load or answer: {' '.join(str(error).split())[:200]}"
    return None if np.isfinite(answer).all() else "its answer is not finite"


def _evidence(registry: ModelRegistry, version: Version) -> pd.DataFrame | None:
    """The version's walk-forward output; None if its run does not have it (any more)."""
    try:
        return parquet_table(registry.file(version.name, version.version, "evidence.parquet"))
    except Exception:  # as above: each artifact store raises its own for a file that is not there
        return None


def _scored(kind: Kind, evidence: pd.DataFrame | None) -> int:
    if evidence is None:
        return 0
    return int((evidence["label"] != "").sum() if kind == "ensemble" else evidence["actual"].notna().sum())


def _compared(
    registry: ModelRegistry,
    kind: Kind,
    champion: Version,
    evidence: pd.DataFrame,
    present: CurrentData,
    metrics: dict[str, float],
) -> list[Gate]:
    """The gates on rows that neither had seen."""
    end = pd.Timestamp(champion.data_end)
    known = _evidence(registry, champion)
    newer, note = _newer(registry, kind, champion, evidence, present)
    answers = [table for table in (known, newer) if table is not None and len(table)]
    if known is None:
        note = "; ".join(filter(None, ["Production's own evidence is gone", note]))
    other = pd.concat(answers, ignore_index=True) if answers else evidence.iloc[:0]
    if kind == "ensemble":
        pairs = signal_pairs(evidence, other)
        compared = compare_signals(pairs, HEADLINE_HORIZON)
        last: Gate = calibration_gate(metrics, compared)
    else:
        pairs = price_pairs(evidence, other)
        compared = compare_prices(pairs)
        last = coverage_gate(coverages(pairs))
    after = int(pairs.loc[pairs["origin"] > end, "origin"].nunique())
    return [loss_gate(compared, after, note), last]


def _newer(
    registry: ModelRegistry, kind: Kind, champion: Version, evidence: pd.DataFrame, present: CurrentData
) -> tuple[pd.DataFrame | None, str]:
    """What the champion's ONNX says of origins newer than its data; without an answer, why."""
    end = pd.Timestamp(champion.data_end)
    if not (evidence[_ORIGIN[kind]] > end).any() or present.features.index[-1] <= end:
        return None, ""
    if problem := why_unservable(registry, kind, champion, present):
        return None, f"Production could not be asked of newer sessions: {problem}"
    replayed = replayed_signals if kind == "ensemble" else replayed_prices
    onnx = registry.load(champion.name, champion.version)
    return replayed(onnx, present.features, end, present.features["close"]), ""
