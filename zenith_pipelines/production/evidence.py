"""The evidence of served forecasts as facts of the ledger, and the e-values of all tickers that it is judged beside."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from zenith_core.errors import ZenithError
from zenith_core.evaluation.forecast_ledger import in_the_open
from zenith_core.evidence.claims import Evidence, claims_by_horizon
from zenith_core.evidence.track_evidence import ledger_evidence, walk_forward_start
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.names import model_name
from zenith_pipelines.datasets.atomic_files import parquet_table
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.ledger import LEDGER
from zenith_pipelines.registry.model_registry import ModelRegistry

EVIDENCE, START = "evidence", "evidence_start"  # facts of the ledger
_FIRST = 1  # the number that MLflow gives to the first version, and to no other


def evidence_facts(store: DatasetStore, registry: ModelRegistry, ticker: str, ledger: pd.DataFrame) -> dict[str, Any]:
    """Return the facts of the ledger that hold the evidence of `ledger`, its newest table.

    The walk-forward is read once and then kept, so that neither a retraining nor a clean-up changes it.
    """
    facts = store.facts(LEDGER, ticker) if store.exists(LEDGER, ticker) else {}
    start = (
        facts[START]
        if START in facts
        else _first_walk_forward(registry, model_name(ANSWERS.of(ticker)["price"], ticker), ledger)
    )
    return {START: start, EVIDENCE: ledger_evidence(ledger, start["by_horizon"])}


def evidence_beside_others(
    store: DatasetStore, ticker: str, ledger: pd.DataFrame, facts: Mapping[str, Any]
) -> dict[str, Evidence]:
    """Return the evidence of a ticker's ledger by horizon, beside the stored e-values of all other tickers."""
    others = [_stored(store, other) for other in store.tickers(LEDGER) if other != ticker]
    start = facts.get(START, {}).get("by_horizon", {})
    return claims_by_horizon(ledger_evidence(ledger, start), others)


def _stored(store: DatasetStore, ticker: str) -> dict[str, Any]:
    """Return the stored evidence of a ticker; none for a ledger that is damaged or of an earlier release."""
    try:
        return dict(store.facts(LEDGER, ticker).get(EVIDENCE, {}))
    except ZenithError:
        return {}


def _first_walk_forward(registry: ModelRegistry, name: str, ledger: pd.DataFrame) -> dict[str, Any]:
    """Return the start from the walk-forward of the first version, empty if it is gone."""
    origins = ledger.loc[in_the_open(ledger), "origin"]
    try:
        version = registry.version(name, _FIRST)
        forecasts = parquet_table(registry.file(name, version.version, "evidence.parquet"))
    except Exception:  # no such version, or its file is gone: each of MLflow's stores has an error of its own
        return {"version": None, "by_horizon": {}}
    return {
        "version": _FIRST,
        "by_horizon": walk_forward_start(forecasts, origins.min() if len(origins) else None),
    }
