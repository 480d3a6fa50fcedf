"""A ticker's distribution for its serving snapshot: computed at every refresh, without training."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pandas as pd

from zenith_core.errors import CorruptData, InvalidTicker, NotAvailable
from zenith_core.market.exchanges import exchange_of
from zenith_core.risk.price_moves import PriceMoves, price_moves
from zenith_core.risk.scale_model import forecast_distribution
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.risk.scale_versions import scale_for
from zenith_pipelines.tickers import SERVED


def distribution_facts(registry: ModelRegistry, prices: pd.DataFrame, data_version: str) -> dict[str, Any]:
    """Return `distribution` of a snapshot after the last session of cleaned `prices`, and `no_distribution`.

    The latter is the reason if there is none, such as a price that stands still; else empty.
    """
    try:
        model = scale_for(registry, f"{prices.index[-1]:%Y-%m-%d}")
        distribution = forecast_distribution(model, price_moves(prices), data_version)
    except NotAvailable as error:
        return {"distribution": None, "no_distribution": str(error)}
    return {"distribution": distribution.to_dict(), "no_distribution": ""}


def histories(store: DatasetStore, tickers: Iterable[str]) -> Iterator[PriceMoves]:
    """Read the cleaned prices of tickers; those without any, or whose file is damaged, are left out."""
    for ticker in tickers:
        with suppress(NotAvailable, CorruptData):
            prices = store.read("cleaned_prices", ticker).tables["prices"]
            if len(prices):
                yield replace(price_moves(prices), market=market_of(ticker))


def market_of(ticker: str) -> str:
    """Return the code of the ticker's exchange; empty if this home does not know its suffix any more."""
    try:
        return exchange_of(ticker).code
    except InvalidTicker:
        return ""


def last_session(store: DatasetStore, tickers: Iterable[str]) -> str | None:
    """Return the newest session of the tickers' cleaned prices, ISO, or None if none has any."""
    days = []
    for ticker in tickers:
        with suppress(NotAvailable, CorruptData):
            days.append(str(store.facts("cleaned_prices", ticker)["last"] or ""))
    return max(days, default="") or None


def renew_distributions(store: DatasetStore, registry: ModelRegistry, tickers: Iterable[str]) -> list[str]:
    """Compute the distributions of all snapshots again by the scale that is now in Production; return the tickers.

    A snapshot that a refresh replaces meanwhile is left alone: it has the scale of its own moment.
    """
    return [ticker for ticker in tickers if _renew(store, registry, ticker)]


def _renew(store: DatasetStore, registry: ModelRegistry, ticker: str) -> bool:
    try:
        facts = store.facts(SERVED, ticker)
        cleaned = store.read("cleaned_prices", ticker)
    except (NotAvailable, CorruptData):
        return False
    version = cleaned.facts["data_version"]
    if facts["data_version"] != version:
        return False
    snapshot = {**facts, **distribution_facts(registry, cleaned.tables["prices"], version)}
    if store.facts(SERVED, ticker) != facts:
        return False
    store.write(SERVED, ticker, Dataset(facts=snapshot))
    return True
