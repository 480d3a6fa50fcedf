"""Data as of a past day: the raw snapshot of that day, and a separate state folder to rebuild the rest in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from zenith_core.errors import NotAvailable, UserError
from zenith_core.market.exchanges import exchange_of
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.ingestion.sources.base import RAW_PRICES
from zenith_pipelines.settings import Settings

_UNRELATED = {"keras_backend"}  # settings that name neither state nor source


def parse_day(text: str, option: str = "--as-of") -> date:
    """Parse a day such as 2026-11-20. Raises UserError, naming the option, for other text and for future days."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise UserError(f"{option}: {text[:40]!r} is not a date; expected a day such as 2026-11-20") from None
    if day > datetime.now(UTC).date():
        raise UserError(f"{option}: {day} is in the future; expected today or an earlier day")
    return day


def snapshot_as_of(store: DatasetStore, ticker: str, day: date) -> Dataset:
    """Return the newest raw snapshot fetched by the end of `day`: midnight in the exchange's time zone.

    Raises NotAvailable if there is none; the message names the day of the first snapshot.
    """
    zone = ZoneInfo(exchange_of(ticker).timezone)
    fetch_day = None
    for stamp in reversed(store.stamps(RAW_PRICES, ticker)):
        facts = store.facts(RAW_PRICES, ticker, stamp=stamp)
        fetch_day = datetime.fromisoformat(facts["fetched_at"]).astimezone(zone).date()
        if fetch_day <= day:
            return store.read(RAW_PRICES, ticker, stamp=stamp)
    if fetch_day is None:
        raise NotAvailable(f"no raw_prices for {ticker} yet: `zenith run --tickers {ticker}` makes them")
    raise NotAvailable(f"no snapshot of {ticker} on {day}: its first one was fetched on {fetch_day}")


def as_of_home(settings: Settings, day: date) -> Path:
    """Return the state folder of `day`, with its own store, registry and Dagster instance."""
    return settings.home / "as-of" / day.isoformat()


@contextmanager
def as_of_state(settings: Settings, day: date) -> Iterator[None]:
    """Keep all state of this process and its children in `as_of_home(settings, day)` within the context.

    Every setting that may name today's state is unset, Dagster's own included.
    """
    before = dict(os.environ)
    unset = {"DAGSTER_HOME", *(name.upper() for name in Settings.model_fields if name not in _UNRELATED)}
    for name in [name for name in os.environ if name.upper() in unset]:
        del os.environ[name]
    os.environ["ZENITH_HOME"] = str(as_of_home(settings, day))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
