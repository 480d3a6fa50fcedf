"""The universe of a home: from cleaned prices, stored for serving."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date

import pandas as pd

from zenith_core.errors import CorruptData, InvalidTicker, NotAvailable
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.suffixes import unit_of
from zenith_core.portfolio.universe import Universe
from zenith_core.portfolio.universe_of_closes import universe_of_closes
from zenith_core.risk.forecast_distribution import ForecastDistribution
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.datasets.store import DatasetStore


def currency_of(ticker: str) -> str:
    """Return the main currency of a ticker's quotes."""
    return unit_of(exchange_of(ticker).currency)[0]


def closes_of(store: DatasetStore, tickers: Sequence[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the closes (day × ticker) in the main currency of each, and their data versions. Raises as `read`."""
    closes, versions = {}, {}
    for ticker in tickers:
        dataset = store.read("cleaned_prices", ticker)
        closes[ticker] = dataset.tables["prices"]["close"] / unit_of(exchange_of(ticker).currency)[1]
        versions[ticker] = str(dataset.facts.get("data_version", ""))
    return pd.DataFrame(closes).sort_index(), versions


def universe_of(store: DatasetStore, tickers: Sequence[str]) -> Universe:
    """Return the universe of tickers that have prices. Raises NotAvailable if one has none, CorruptData."""
    closes, versions = closes_of(store, tickers)
    return universe_of_closes(closes, {ticker: currency_of(ticker) for ticker in tickers}, versions)


def readable(store: DatasetStore, tickers: Iterable[str]) -> list[str]:
    """Return the tickers whose cleaned prices have rows."""
    names = []
    for ticker in tickers:
        with suppress(NotAvailable, CorruptData):
            if store.facts("cleaned_prices", ticker).get("last"):
                names.append(ticker)
    return names


def served_distributions(
    store: DatasetStore, universe: Universe, tickers: Iterable[str] | None = None
) -> Mapping[str, ForecastDistribution]:
    """Return the served distributions of `tickers`, or of all: of those with one from their last session or later."""
    distributions = {}
    for ticker in universe.tickers if tickers is None else tickers:
        end = universe.ends[universe.column(ticker)]
        with suppress(NotAvailable, CorruptData, InvalidTicker, KeyError, TypeError, ValueError):
            snapshot = ServingSnapshot.from_json(store.facts("serving_snapshot", ticker))
            if snapshot.distribution is not None and snapshot.as_of >= date.fromisoformat(end):
                distributions[ticker] = snapshot.distribution
    return distributions
