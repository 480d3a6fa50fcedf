"""Price sources of other packages: entry points of the group `zenith.sources` (docs/guides/sources.md).

A package is loaded only if its source is asked for by name. Its answers are checked, because nobody here has seen it.
"""

from datetime import date
from importlib.metadata import EntryPoint, entry_points
from typing import Self

import pandas as pd

from zenith_core.errors import InvalidPrices, SourceError, UserError, ZenithError
from zenith_pipelines.ingestion.sources.base import ACTIONS, REQUIRED, PriceSource, RawPrices

ENTRY_POINTS = "zenith.sources"
_METHODS = ("fetch", "offers", "tickers")


def package_sources() -> dict[str, EntryPoint]:
    """Return the entry points of installed packages, by the name of their source."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


class PackageSource:
    """A package's source, whose answers are checked and whose failures are one line."""

    def __init__(self, source: PriceSource) -> None:
        self.name = source.name
        self._source = source

    @classmethod
    def load(cls, point: EntryPoint, options: object) -> Self:
        """Return the source that an entry point makes of the options. Raises UserError."""
        try:
            source = point.load()(options)
        except ZenithError:
            raise
        except Exception as error:  # a package may raise anything
            raise UserError(f"the package of the source {point.name} cannot be loaded: {_line(error)}") from error
        missing = [name for name in _METHODS if not callable(getattr(source, name, None))]
        if missing or getattr(source, "name", None) != point.name:
            lacking = f"has no method {missing[0]}" if missing else "has another name"
            raise UserError(f"the entry point {point.name} of {ENTRY_POINTS} is no price source: it {lacking}")
        return cls(source)

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`. Raises InvalidPrices for an answer of another shape."""
        try:
            raw = self._source.fetch(ticker, since)
        except ZenithError:
            raise
        except Exception as error:
            raise SourceError(f"the source {self.name} failed for {ticker}: {_line(error)}") from error
        if problem := self._problem(raw):
            raise InvalidPrices(f"the source {self.name} answered {ticker} with {problem}")
        return raw

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`."""
        return self._source.offers(ticker)

    def tickers(self) -> list[str] | None:
        """See `PriceSource.tickers`."""
        return self._source.tickers()

    def _problem(self, raw: object) -> str | None:
        """Return the first deviation from `RawPrices`, or None."""
        if not isinstance(raw, RawPrices):
            return f"a {type(raw).__name__}; expected RawPrices"
        if raw.source != self.name:
            return f"prices of the source {raw.source!r}; expected {self.name!r}"
        if raw.fetched_at.tzinfo is None:
            return "a time of fetch without a zone; expected datetime.now(UTC)"
        return _problem_of_rows(raw.prices)


def _problem_of_rows(prices: pd.DataFrame) -> str | None:
    days = prices.index
    if missing := [name for name in (*REQUIRED, *ACTIONS) if name not in prices]:
        return f"no column {missing[0]}; `raw_table` adds those that may be absent"
    if texts := [name for name in prices if not pd.api.types.is_float_dtype(prices[name])]:
        return f"the column {texts[0]} of {prices[texts[0]].dtype}; expected float64, as `raw_table` returns it"
    if not isinstance(days, pd.DatetimeIndex) or days.tz is not None or days.name != "date":
        return "an index that is not `date` without a zone; `raw_table` makes one"
    if not days.dropna().equals(days.dropna().normalize()):
        return "times of day in its index; expected one row a session, at midnight"
    return None if len(prices) else "no rows; expected NoNewData to be raised"


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
