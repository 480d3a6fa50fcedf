"""What is known of a ticker after a run, as one JSON-ready document."""

from collections.abc import Mapping
from typing import Any

from zenith_core.names import KINDS
from zenith_pipelines.datasets.store import DatasetStore


def describe(
    store: DatasetStore, ticker: str, *, made: set[str], raw: Mapping[str, Any], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Describe the datasets in `made`; what this run did not make is empty, never filled from an earlier run.

    raw: what the run says of its fetch, which need not have stored anything
    """
    facts = {name: store.facts(name, ticker) for name in made}
    cleaned = facts.get("cleaned_prices", {})
    return {
        **{key: cleaned.get(key) for key in ("sessions", "first", "last", "last_close", "data_version")},
        "raw": dict(raw),
        "cleaning": cleaned.get("counts", {}),
        "forecast": _forecast(facts.get("forecast_ledger")),
        "models": {kind: _model(facts, kind) for kind in KINDS if f"{kind}_model" in facts},
        "backtest": {kind: facts[f"{kind}_backtest"]["stats"] for kind in KINDS if f"{kind}_backtest" in facts},
        "report": facts.get("backtest_report", {}).get("path"),
        "seconds": dict(seconds),
    }


def _forecast(ledger: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The latest answer, without the hundreds of older ones."""
    return None if ledger is None else {key: value for key, value in ledger.items() if key != "track_record"}


def _model(facts: Mapping[str, Any], kind: str) -> dict[str, Any]:
    model = facts[f"{kind}_model"]
    decision = facts.get("production_models", {}).get(kind, {})
    return {
        "version": model["version"],
        "production": decision.get("production"),
        "promotion": decision.get("reason"),
        "metrics": model["metrics"],
    }
