"""The PriceSource protocol and RawPrices, its result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import pandas as pd

from zenith_core.errors import UnknownTicker
from zenith_core.prices.cleaning import data_version

RAW_PRICES = "raw_prices"  # the dataset that fetched prices are stored in
ACTIONS = ("dividends", "splits")
REQUIRED = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class RawPrices:
    """One fetch of one ticker, unchanged.

    prices:     index "date" (naive, midnight; NaT and duplicates as in the source); float columns open, high, low,
                close, volume, unadjusted; dividends and splits, 0 for none; adj_close if the source has it
    source:     name of the source
    library:    library that read it, with its version
    fetched_at: time of the fetch, with zone
    currency:   of the quotes, if the source names it: GBp for prices in pence
    listing:    exchange, instrument and name of the ticker, those that the source names
    folder:     folder of the files, if the source reads files
    """

    prices: pd.DataFrame
    source: str
    library: str
    fetched_at: datetime
    currency: str | None = None
    listing: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None

    @property
    def content_hash(self) -> str:
        """SHA-256 of the table alone, 16 hex digits: the same rows have the same hash in every fetch."""
        return data_version(self.prices)


class PriceSource(Protocol):
    """A source of daily prices. A new one takes one class and one entry in `SOURCES`."""

    name: str

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """Return all sessions of `ticker`, or those from `since` on.

        Raises UnknownTicker, Delisted, NoNewData, RateLimited, SourceUnavailable, or InvalidPrices for unreadable data.
        """
        ...

    def offers(self, ticker: str) -> bool:
        """Return False if the source cannot have the ticker, as far as is known without the network."""
        ...

    def tickers(self) -> list[str] | None:
        """Return the source's tickers, or examples of them, sorted; None if it cannot list any."""
        ...


def raw_table(table: pd.DataFrame) -> pd.DataFrame:
    """Convert a table with lower-case columns and a date index to the shape of `RawPrices.prices`.

    Other columns are dropped; blank dividends and splits become 0.
    """
    columns = [*REQUIRED, *ACTIONS, *(["adj_close"] if "adj_close" in table else [])]
    prices = table.reindex(columns=columns).astype("float64")
    prices[list(ACTIONS)] = prices[list(ACTIONS)].fillna(0.0)
    prices.index = pd.DatetimeIndex(prices.index).as_unit("ns").rename("date")
    return prices


def since_date(prices: pd.DataFrame, since: date | None) -> pd.DataFrame:
    """Return the rows from `since` on. Rows without a date stay; cleaning decides on them."""
    if since is None:
        return prices
    return prices[(prices.index >= pd.Timestamp(since)) | prices.index.isna()]


def unknown_ticker(ticker: str, source: str, available: Iterable[str]) -> UnknownTicker:
    """Return the error for a ticker that a source does not have; it lists the source's tickers."""
    names = sorted(available)
    listing = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return UnknownTicker(f"{source} has no {ticker}; it has {listing}")
