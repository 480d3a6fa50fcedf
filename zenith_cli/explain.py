"""`zenith explain`: why the newest forecast differs from an earlier one."""

import json
from datetime import UTC, date, datetime
from typing import Any

from zenith_core.errors import UserError
from zenith_core.market.listing import price_text
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.production.forecast_explanation import explain_forecast
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings


def explain_ticker(ticker: str, since: str | None, *, as_json: bool) -> None:
    """Print the changes. Raises InvalidTicker, UserError for another date, NotAvailable without an earlier forecast."""
    settings, name = Settings(), validate_ticker(ticker)
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    explanation = explain_forecast(DatasetStore(settings.data_uri), registry, name, _day(since))
    print(json.dumps(explanation, indent=2, allow_nan=False) if as_json else "\n".join(_lines(explanation)))


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise UserError(f"--since: {text[:40]!r} is not a date; expected a day such as 2026-11-20") from None
    if day > datetime.now(UTC).date():
        raise UserError(f"--since: {day} is in the future; expected today or an earlier day")
    return day


def _lines(explanation: dict[str, Any]) -> list[str]:
    horizon = explanation["horizon"]
    sessions = "1 session" if horizon == 1 else f"{horizon} sessions"
    now, before = (_forecast(explanation[one]) for one in ("now", "before"))
    first = f"{explanation['ticker']} in {sessions}: {now}. Before: {before}."
    return [first, *(change["says"] for change in explanation["changes"])]


def _forecast(forecast: dict[str, Any]) -> str:
    price, lower, upper = (price_text(forecast[name]) for name in ("forecast", "lower", "upper"))
    return f"{price} ({lower}–{upper}), made on {forecast['made_at'][:10]} from {forecast['origin']}"
