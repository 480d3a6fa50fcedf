"""The past as it was known: which snapshot counts on a day, and a state folder of its own to rebuild it in."""

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

_KEPT = {"keras_backend"}  # settings that lead to no state and no source


def parse_day(text: str) -> date:
    """A day such as 2026-11-20. Raises UserError for other text and for days to come."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise UserError("--as-of: not a date; expected one such as 2026-11-20") from None
    if day > datetime.now(UTC).date():
        raise UserError(f"--as-of: {day} is still to come; nothing is known then yet")
    return day


def snapshot_as_of(store: DatasetStore, ticker: str, day: date) -> Dataset:
    """The newest raw snapshot that was fetched by the end of `day`, midnight at the ticker's exchange.

    Raises NotAvailable, which names the day of the first snapshot, if nothing was known then.
    """
    zone = ZoneInfo(exchange_of(ticker).timezone)
    fetched = None
    for stamp in reversed(store.stamps(RAW_PRICES, ticker)):
        facts = store.facts(RAW_PRICES, ticker, stamp=stamp)
        fetched = datetime.fromisoformat(facts["fetched_at"]).astimezone(zone).date()
        if fetched <= day:
            return store.read(RAW_PRICES, ticker, stamp=stamp)
    if fetched is None:
        raise NotAvailable(f"no raw_prices for {ticker} yet: `zenith run --tickers {ticker}` makes them")
    raise NotAvailable(f"nothing was known of {ticker} on {day}: its first snapshot was fetched on {fetched}")


def as_of_home(settings: Settings, day: date) -> Path:
    """The state folder of what is rebuilt as of `day`: a store, a registry and a Dagster instance of its own."""
    return settings.home / "as-of" / day.isoformat()


@contextmanager
def as_of_state(settings: Settings, day: date) -> Iterator[None]:
    """Within, this process and those it starts keep all state in `as_of_home(settings, day)`.

    Every setting that may lead to the state of the present is unset, and Dagster's own with them.
    """
    before = dict(os.environ)
    elsewhere = {"DAGSTER_HOME", *(name.upper() for name in Settings.model_fields if name not in _KEPT)}
    for name in [name for name in os.environ if name.upper() in elsewhere]:
        del os.environ[name]
    os.environ["ZENITH_HOME"] = str(as_of_home(settings, day))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
