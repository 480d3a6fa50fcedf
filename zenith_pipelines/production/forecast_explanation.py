"""Explain why a ticker's newest forecast differs from an earlier one, from ledger, features and decisions."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from typing import Any

import pandas as pd

from zenith_core.errors import NotAvailable
from zenith_core.evaluation.forecast_changes import Change, ServedForecast, explain_changes
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import Kind
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import HEADLINE_HORIZON, model_name
from zenith_core.statistics.performance import finite
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.ledger import FORECASTS, LEDGER, SIGNALS_GIVEN
from zenith_pipelines.registry.decision_log import DecisionRecord, decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry


def explain_forecast(
    store: DatasetStore, registry: ModelRegistry, ticker: str, since: date | None = None
) -> dict[str, Any]:
    """Return the newest forecast, the one before, or the last one made by the end of `since` (UTC), and the changes.

    JSON-ready: ticker, horizon, now, before, changes. Raises NotAvailable if there is no earlier one.
    """
    dataset = store.read(LEDGER, ticker)
    horizon = int(dataset.facts.get("horizon", HEADLINE_HORIZON))
    ledger = dataset.tables[FORECASTS]
    rows = ledger[ledger["horizon"] == horizon].sort_values("made_at", kind="stable")
    before, now = _pair(rows, ticker, since)
    kinds = ANSWERS.of(ticker)
    answers = dataset.facts.get(SIGNALS_GIVEN, [])
    table = store.read("indicator_features", ticker).table
    factor = _factor(table, before)
    forecasts = [_served(row, answers, kinds, table) for row in (now, before)]
    sessions = int(((table.index > before["origin"]) & (table.index <= now["origin"])).sum())
    changes = explain_changes(forecasts[0], forecasts[1], (kinds["price"], kinds["signal"]), sessions, factor)
    decisions = [gate for kind in kinds.values() for gate in _decisions(registry, kind, ticker, forecasts[1].made_at)]
    return {
        "ticker": ticker,
        "horizon": horizon,
        "now": asdict(forecasts[0]),
        "before": asdict(forecasts[1]),
        "changes": [*changes, *decisions],
    }


def _pair(rows: pd.DataFrame, ticker: str, since: date | None) -> tuple[Any, Any]:
    """Return the earlier and the newest row. Raises NotAvailable if there are no two."""
    if rows.empty:
        raise NotAvailable(f"{ticker} has no forecast yet: `zenith run --tickers {ticker}` makes one")
    now, earlier = rows.iloc[-1], rows.iloc[:-1]
    if since is not None:
        end = pd.Timestamp(since, tz="UTC") + pd.Timedelta(days=1)
        earlier = earlier[pd.to_datetime(earlier["made_at"], utc=True) < end]
    if earlier.empty:
        first = f"{pd.Timestamp(rows['made_at'].iloc[0]):%Y-%m-%d}"
        if since is not None:
            raise NotAvailable(f"no earlier forecast of {ticker} was made by {since}: the first is of {first}")
        raise NotAvailable(f"{ticker} has one forecast, made on {first}: there is none before to compare it with")
    return earlier.iloc[-1], now


def _served(
    row: Any, answers: Sequence[Mapping[str, Any]], kinds: Mapping[Task, Kind], table: pd.DataFrame
) -> ServedForecast:
    origin, version = f"{row['origin']:%Y-%m-%d}", int(row["model_version"])
    own = [
        one
        for one in answers
        if (one["origin"], one["versions"].get(row.get("model_type", kinds["price"]))) == (origin, version)
    ]
    answer: Mapping[str, Any] = own[-1] if own else {"versions": {}}
    return ServedForecast(
        made_at=pd.Timestamp(row["made_at"]).isoformat(),
        origin=origin,
        **{name: float(row[name]) for name in ("close", "forecast", "lower", "upper")},
        version=version,
        volatility=_at(table, "volatility", row),
        signal=answer.get("signal"),
        probability=answer.get("probability"),
        reason=answer.get("reason"),
        signal_version=answer["versions"].get(kinds["signal"]),
    )


def _factor(table: pd.DataFrame, row: Any) -> float:
    """Return today's close at the origin over the one that was served."""
    close = _at(table, "close", row)
    return 1.0 if close is None else close / float(row["close"])


def _at(table: pd.DataFrame, column: str, row: Any) -> float | None:
    """Return a feature at the row's origin, None where there is none."""
    value = table[column].get(row["origin"])
    return None if value is None else finite(value)


def _decisions(registry: ModelRegistry, kind: str, ticker: str, since: str) -> list[Change]:
    """Return the decisions about a model after `since`, as sentences."""
    history: list[DecisionRecord] = []
    with suppress(NotAvailable):
        history = decision_history(registry, model_name(kind, ticker)) if registry.exists else []
    moment = pd.Timestamp(since)
    return [
        Change(topic="gate", says=f"{kind} version {one.version} was {_verb(one)} {one.at[:10]}: {one.reason}.")
        for one in history
        if pd.Timestamp(one.at) > moment
    ]


def _verb(decision: DecisionRecord) -> str:
    return {"rolled back": "restored", "unchanged": "left out"}.get(decision.outcome, decision.outcome)
