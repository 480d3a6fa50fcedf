"""What a price source is, and what it hands over."""

from collections.abc import Iterable
from dataclasses import dataclass
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
    """One fetch of one ticker, as the source said it.

    prices:     index "date" (naive, midnight; NaT and duplicates where the source had them); float columns open,
                high, low, close, volume, unadjusted; dividends and splits, 0 where none; adj_close if the source has it
    source:     name of the source
    library:    what read it, with its version
    fetched_at: when, with zone
    currency:   of the quotes, if the source says so
    folder:     where its files are, of a source that reads files
    """

    prices: pd.DataFrame
    source: str
    library: str
    fetched_at: datetime
    currency: str | None = None
    folder: str | None = None

    @property
    def content_hash(self) -> str:
        """SHA-256 of the table alone, 16 hex digits: the same rows have the same hash, whenever they were fetched."""
        return data_version(self.prices)


class PriceSource(Protocol):
    """Anything that delivers daily prices. One class and one entry in `SOURCES` make a new one."""

    name: str

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """All sessions of `ticker`, or those from `since` on.

        Raises UnknownTicker, Delisted, NoNewData, RateLimited, SourceUnavailable, or InvalidPrices for what it
        cannot read.
        """
        ...

    def offers(self, ticker: str) -> bool:
        """Whether it may have the ticker, as far as can be told without asking anyone far away."""
        ...

    def tickers(self) -> list[str] | None:
        """The tickers on offer, or examples of them, sorted; None if the source cannot list any."""
        ...


def raw_table(table: pd.DataFrame) -> pd.DataFrame:
    """Bring a table with lower-case columns and a date index into the shape of `RawPrices.prices`.

    Columns beyond the known ones are left out; blank dividends and splits mean none.
    """
    columns = [*REQUIRED, *ACTIONS, *(["adj_close"] if "adj_close" in table else [])]
    shaped = table.reindex(columns=columns).astype("float64")
    shaped[list(ACTIONS)] = shaped[list(ACTIONS)].fillna(0.0)
    shaped.index = pd.DatetimeIndex(shaped.index).as_unit("ns").rename("date")
    return shaped


def since_date(prices: pd.DataFrame, since: date | None) -> pd.DataFrame:
    """The rows from `since` on; rows without a date stay, for cleaning to judge."""
    if since is None:
        return prices
    return prices[(prices.index >= pd.Timestamp(since)) | prices.index.isna()]


def unknown_ticker(ticker: str, source: str, offered: Iterable[str]) -> UnknownTicker:
    """The error for a ticker that a source does not have, naming what it has."""
    names = sorted(offered)
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return UnknownTicker(f"{source} has no {ticker}; it has {shown}")
