"""The summary of a ticker's run as one JSON-ready document."""

from collections.abc import Mapping
from typing import Any

from zenith_core.model_kinds.table import KINDS
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.evidence import PRICES, SIGNAL_START, START
from zenith_pipelines.production.forecast_explanation import SERVED
from zenith_pipelines.production.ledger import SIGNALS_GIVEN
from zenith_pipelines.settings import Settings

_EARLIER_FORECASTS = ("track_record", PRICES, START, SIGNAL_START, SIGNALS_GIVEN, SERVED)


def describe(
    settings: Settings, ticker: str, *, assets: set[str], raw: Mapping[str, Any], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Describe the assets that the run materialized. The entries of all others are empty.

    raw: the metadata of the fetch, which may have stored nothing
    """
    store = DatasetStore(settings.data_uri)
    facts = {name: store.facts(name, ticker) for name in assets}
    cleaned = facts.get("cleaned_prices", {})
    return {
        **{key: cleaned.get(key) for key in ("sessions", "first", "last", "last_close", "data_version")},
        "raw": dict(raw),
        "cleaning": cleaned.get("counts", {}),
        "quarantine": cleaned.get("quarantine", {}),
        "forecast": _forecast(facts.get("forecast_ledger")),
        "models": {kind: _model(facts, kind) for kind in KINDS if f"{kind}_model" in facts},
        "backtest": {kind: facts[f"{kind}_backtest"]["stats"] for kind in KINDS if f"{kind}_backtest" in facts},
        "report": str(settings.home / facts["backtest_report"]["path"]) if "backtest_report" in facts else None,
        "seconds": dict(seconds),
    }


def _forecast(ledger: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the latest forecast, without the hundreds of older ones and the evidence that they are."""
    return None if ledger is None else {key: ledger[key] for key in ledger if key not in _EARLIER_FORECASTS}


def _model(facts: Mapping[str, Any], kind: str) -> dict[str, Any]:
    model = facts[f"{kind}_model"]
    decision = facts.get("production_models", {}).get(kind, {})
    return {
        "version": model["version"],
        "production": decision.get("production"),
        "promotion": decision.get("reason"),
        "metrics": model["metrics"],
    }
