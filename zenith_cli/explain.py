"""`zenith explain`: why the newest forecast differs from an earlier one."""

import json
from typing import Any

from zenith_core.market.listing import price_text
from zenith_core.market.tickers import validate_ticker
from zenith_core.words import counted
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.point_in_time import parse_day
from zenith_pipelines.production.forecast_explanation import explain_forecast
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings


def explain_ticker(ticker: str, since: str | None, *, as_json: bool) -> None:
    """Print the changes. Raises InvalidTicker, UserError for another date, NotAvailable without an earlier forecast."""
    settings, name = Settings(), validate_ticker(ticker)
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    day = parse_day(since, "--since") if since is not None else None
    explanation = explain_forecast(DatasetStore(settings.data_uri), registry, name, day)
    print(json.dumps(explanation, indent=2, allow_nan=False) if as_json else "\n".join(_lines(explanation)))


def _lines(explanation: dict[str, Any]) -> list[str]:
    horizon = explanation["horizon"]
    first = f"{explanation['ticker']} in {counted(horizon, 'session')}: {_forecast(explanation['now'])}."
    if before := explanation["before"]:
        first += f" Before: {_forecast(before)}."
    return [first, *(change["says"] for change in explanation["changes"])]


def _forecast(forecast: dict[str, Any]) -> str:
    price, lower, upper = (price_text(forecast[name]) for name in ("forecast", "lower", "upper"))
    return f"{price} ({lower}–{upper}), made on {forecast['made_at'][:10]} from {forecast['origin']}"
