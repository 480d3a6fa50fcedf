"""Register a trained candidate with its lineage and evidence."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from zenith_core.features.leakage import leakage_summary
from zenith_core.names import model_name
from zenith_pipelines.datasets.atomic_files import parquet_bytes
from zenith_pipelines.models.training import Candidate
from zenith_pipelines.registry.model_registry import DAGSTER_RUN, ModelRegistry, Version

_TAGS = ("ticker", "kind", "data_end")
_PROVENANCE = ("task", "data_version", "raw_content_hash", "feature_spec", "code_version")
CPU_SECONDS = "train_cpu_seconds"
"""The metric of a version that holds the CPU seconds of its training."""

_CONFIG = ("horizon", "window")  # the parts of a configuration that production and serving read


def register(
    registry: ModelRegistry,
    candidate: Candidate,
    leakage: Mapping[str, Any],
    dagster_run_id: str,
    attempts: Collection[str] = (),
    cpu_seconds: float | None = None,
    description: str | None = None,
) -> Version:
    """Register the candidate as a new version of `<kind>-<ticker>`, with its metrics and its lineage.

    attempts:  earlier Dagster runs that `dagster_run_id` repeats. If one of them registered a version and died before
               it could report it, return that version.
    leakage:   certificate of the features that it was trained on
    cpu_seconds:  of its training; not in the model file, which is the same for the same data, code and configuration
    description:  markdown

    The MLflow run keeps the certificate as leakage.json, the model's facts as facts.json, and the out-of-sample
    forecasts behind its metrics as evidence.parquet.
    """
    facts = candidate.facts
    name = model_name(candidate.kind, facts["ticker"])
    if attempts and (version := registry.version_of_run(name, attempts)):
        return registry.finish_registration(version)
    checksum = hashlib.sha256(candidate.onnx).hexdigest()  # serving verifies it
    config = facts["study"].get("config", {})
    provenance = {
        **{key: str(facts[key]) for key in _PROVENANCE if key in facts},
        **{key: str(config[key]) for key in _CONFIG if key in config},
        "libraries": _line(facts["versions"]),
        "leakage": leakage_summary(leakage),
        "sha256": checksum,
        DAGSTER_RUN: dagster_run_id,
    }
    return registry.register(
        name,
        candidate.onnx,
        metrics=flat_metrics(candidate.metrics) | ({} if cpu_seconds is None else {CPU_SECONDS: cpu_seconds}),
        params={key: str(value) for key, value in config.items()},
        tags={key: facts[key] for key in _TAGS if key in facts},
        provenance=provenance,
        files={
            "facts.json": _json({**facts, "metrics": candidate.metrics}),
            "leakage.json": _json(leakage),
            "evidence.parquet": parquet_bytes(candidate.evidence),
        },
        description=description,
    )


def links_to(page: str, ticker: str) -> str:
    """Return markdown that links a ticker's report and page in the service at an address."""
    name = quote(ticker)
    return f"[Report of {ticker}]({page}/reports/{name}) · [{ticker} on the page]({page}/#{name})"


def flat_metrics(metrics: dict[str, Any]) -> dict[str, float]:
    """Return the top-level numbers, without tables and missing values."""
    return {key: float(value) for key, value in metrics.items() if isinstance(value, int | float)}


def _line(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode()
