"""Explain why a ticker's newest forecast differs from an earlier one, from ledger, features and decisions."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pandas as pd

from zenith_core.errors import NotAvailable
from zenith_core.evaluation.forecast_changes import ServedForecast, explain
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import Kind
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import EARLIER_HORIZON, model_name
from zenith_core.snapshot import ServingSnapshot
from zenith_core.statistics.performance import finite
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.ledger import FORECASTS, LEDGER, SIGNALS_GIVEN
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry

SERVED = "served"  # the fact that holds the newest forecasts at the model's horizon, the newest last
_MOST = 60  # about a quarter of daily ones, as many as signals


def explain_forecast(
    store: DatasetStore, registry: ModelRegistry, ticker: str, since: date | None = None
) -> dict[str, Any]:
    """Return `explain` of the whole ledger. Raises NotAvailable if there is no earlier forecast."""
    dataset = store.read(LEDGER, ticker)
    horizon = int(dataset.facts.get("horizon", EARLIER_HORIZON))
    kinds = ANSWERS.of(ticker)
    table = store.read("indicator_features", ticker).table
    forecasts = [
        _with_features(one, table) for one in served_forecasts(dataset.tables[FORECASTS], horizon, dataset.facts, kinds)
    ]
    closes = {f"{session:%Y-%m-%d}": float(close) for session, close in table["close"].dropna().items()}
    decisions = {kind: _decisions(registry, model_name(kind, ticker)) for kind in kinds.values()}
    return explain(ticker, horizon, forecasts, since, kinds, closes, decisions)


def served_forecasts(
    ledger: pd.DataFrame, horizon: int, facts: Mapping[str, Any], kinds: Mapping[Task, Kind], last: int | None = None
) -> list[ServedForecast]:
    """Return the forecasts of a ledger at a horizon, all or the last ones, in the order in which they were made.

    facts: of the ledger: the signals, and the forecasts that earlier refreshes kept as SERVED
    """
    rows = ledger[ledger["horizon"] == horizon].sort_values("made_at", kind="stable")
    rows = rows if last is None else rows.iloc[-last:]
    additions = {one["made_at"]: one for one in facts.get(SERVED, [])}
    return [_served(row, facts.get(SIGNALS_GIVEN, []), kinds, additions) for row in rows.to_dict("records")]


def served_facts(
    ledger: pd.DataFrame, facts: Mapping[str, Any], kinds: Mapping[Task, Kind], snapshot: ServingSnapshot
) -> list[dict[str, Any]]:
    """Return the fact SERVED after a refresh. JSON-ready.

    facts: of the ledger: the new ones, and SERVED as it was before
    """
    forecasts = served_forecasts(ledger, int(facts["horizon"]), facts, kinds, _MOST)
    newest = asdict(forecasts[-1]) if forecasts else {}
    if newest and newest["origin"] == snapshot.as_of.isoformat() and newest["volatility"] is None:
        distribution = snapshot.distribution
        newest["volatility"] = finite(snapshot.volatility)
        newest["scale_version"] = distribution.scale_version if distribution else None
    return [*map(asdict, forecasts[:-1]), *([newest] if newest else [])]


def _served(
    row: Mapping[Any, Any],
    answers: Sequence[Mapping[str, Any]],
    kinds: Mapping[Task, Kind],
    additions: Mapping[str, Mapping[str, Any]],
) -> ServedForecast:
    origin, version = f"{row['origin']:%Y-%m-%d}", int(row["model_version"])
    made_at = pd.Timestamp(row["made_at"]).isoformat()
    own = [
        one
        for one in answers
        if (one["origin"], one["versions"].get(row.get("model_type", kinds["price"]))) == (origin, version)
    ]
    answer: Mapping[str, Any] = own[-1] if own else {"versions": {}}
    return ServedForecast(
        made_at=made_at,
        origin=origin,
        close=float(row["close"]),
        forecast=float(row["forecast"]),
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        version=version,
        signal=answer.get("signal"),
        probability=answer.get("probability"),
        reason=answer.get("reason"),
        signal_version=answer["versions"].get(kinds["signal"]),
        volatility=additions.get(made_at, {}).get("volatility"),
        scale_version=additions.get(made_at, {}).get("scale_version"),
    )


def _with_features(forecast: ServedForecast, table: pd.DataFrame) -> ServedForecast:
    """Return it with the volatility of the feature table, which goes back further than what refreshes kept."""
    value = table["volatility"].get(pd.Timestamp(forecast.origin))
    return replace(forecast, volatility=None if value is None else finite(value))


def _decisions(registry: ModelRegistry, name: str) -> list[dict[str, Any]]:
    with suppress(NotAvailable):
        return [asdict(one) for one in decision_history(registry, name)] if registry.exists else []
    return []
