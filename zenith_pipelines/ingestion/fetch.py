"""The next snapshot of raw prices: a source is asked for what is new, and what it says is compared with what is known.

Snapshots are append-only. One is added when a source says anything else than the last time; the fetch that brings
nothing new leaves no copy of the same rows, only its record in Dagster's event log.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from zenith_core.errors import CorruptData, Delisted, NoNewData, NotAvailable
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import last_closed_session
from zenith_core.names import DELISTED
from zenith_core.prices.cleaning import Cleaned, clean
from zenith_core.prices.restatements import Restatements, diff, finished, merge, overlap
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.ingestion.sources.base import RAW_PRICES, PriceSource, RawPrices

WHOLE_EVERY = timedelta(days=30)  # corrections older than the overlap are found by then
OVERLAP = 10  # sessions asked for again with an increment: two weeks, in which sources mend most of their errors


@dataclass(frozen=True)
class FetchResult:
    """What came of asking a source.

    snapshot:   the newest rows with their facts: a new snapshot, or the last one if there is nothing new
    is_new:     whether `snapshot` is still to be stored
    checked_at: when the source was asked
    request:    sessions requested from the source, for people
    changes:    what differs from the last snapshot in the sessions that had closed
    """

    snapshot: Dataset
    is_new: bool
    checked_at: datetime
    request: str
    changes: Restatements

    @property
    def facts(self) -> dict[str, Any]:
        """The fetch as JSON: the facts of its snapshot, and of the check whether or not it brought anything."""
        check = {"checked_at": self.checked_at.isoformat(), "how": self.request, "new_snapshot": self.is_new}
        return {**self.snapshot.facts, **check, "restatements": _json(self.changes)}


def fetch_next(store: DatasetStore, source: PriceSource, ticker: str, *, now: datetime | None = None) -> FetchResult:
    """Ask `source` for what follows its last stored snapshot. Raises what the source raises; nothing is written."""
    last, is_current = last_snapshot(store, ticker, source.name)
    fetch = fetch_snapshot(source, ticker, last, now=now)
    if fetch.is_new or is_current:
        return fetch
    # Another source spoke in between, or the newest snapshot is damaged: these rows have to become the newest again.
    snapshot = replace(fetch.snapshot, facts={**fetch.snapshot.facts, "fetched_at": fetch.checked_at.isoformat()})
    return replace(fetch, snapshot=snapshot, is_new=True)


def fetch_and_record_delisting(store: DatasetStore, source: PriceSource, ticker: str) -> FetchResult:
    """`fetch_next`, and a note for serving if the ticker is traded no more, which goes when it is again."""
    try:
        fetch = fetch_next(store, source, ticker)
    except Delisted as error:
        store.write(DELISTED, ticker, Dataset(facts={"reason": str(error)}))
        raise
    store.withdraw(DELISTED, ticker)
    return fetch


def last_snapshot(store: DatasetStore, ticker: str, source: str) -> tuple[Dataset | None, bool]:
    """The newest readable snapshot that came from `source`, and whether it is the current one."""
    current = _readable(store, ticker, None)
    if current and current.facts["source"] == source:
        return current, True
    for stamp in reversed(store.stamps(RAW_PRICES, ticker)):
        snapshot = _readable(store, ticker, stamp)
        if snapshot and snapshot.facts["source"] == source:
            return snapshot, False
    return None, False


def fetch_snapshot(
    source: PriceSource, ticker: str, previous: Dataset | None, *, now: datetime | None = None
) -> FetchResult:
    """Ask for everything the first time, and of sources at hand: those that can list their tickers. A service far away,
    that cannot, is asked for the sessions since a short overlap only, and for everything again every 30 days.

    An overlap that agrees with what is known is kept and appended to. One that does not (a split that was worked into
    the history, a correction, a dividend that moved the adjusted close) means that the rest is not to be believed
    either, and everything is fetched anew: no snapshot mixes two states of a source.
    """
    now = now or datetime.now(UTC)
    if (
        previous is None
        or source.tickers() is not None
        or now - datetime.fromisoformat(_whole_at(previous)) >= WHOLE_EVERY
    ):
        return _compare(source.fetch(ticker), previous, ticker, "whole history")
    known = _finished(previous, ticker)
    repeated = overlap(known, OVERLAP)
    if repeated.empty:
        return _compare(source.fetch(ticker), previous, ticker, "whole history")
    since, until = repeated.index.min().date(), repeated.index.max().date()
    try:
        increment = source.fetch(ticker, since)
    except NoNewData as error:
        return FetchResult(previous, False, now, f"sessions from {since} on: nothing new ({error})", diff(known, known))
    if diff(repeated, increment.prices).appends_after(until):
        extended = replace(increment, prices=merge(known, increment.prices))
        return _compare(extended, previous, ticker, f"sessions from {since} on", _whole_at(previous))
    request = f"whole history, since the sessions from {since} on were changed"
    return _compare(source.fetch(ticker), previous, ticker, request)


def clean_snapshot(snapshot: Dataset, ticker: str) -> Cleaned:
    """Clean the rows as they were known when they were fetched: a bar that was open then stays unfinished for ever."""
    return clean(snapshot.table, ticker, now=_fetched_at(snapshot))


def _compare(
    raw: RawPrices, previous: Dataset | None, ticker: str, request: str, whole_at: str | None = None
) -> FetchResult:
    """What a whole table amounts to; `whole_at` if parts of it are older. Another rounding is nothing new."""
    closed = _last_closed(ticker, raw.fetched_at)
    latest = finished(raw.prices, closed)
    changes = diff(latest[:0] if previous is None else _finished(previous, ticker), latest)
    if previous is not None and not changes.any and not diff(previous.table, raw.prices).any:
        return FetchResult(previous, False, raw.fetched_at, f"{request}: nothing new", changes)
    facts = {
        "source": raw.source,
        "library": raw.library,
        "fetched_at": raw.fetched_at.isoformat(),
        "whole_at": whole_at or raw.fetched_at.isoformat(),
        "currency": raw.currency,
        "content_hash": raw.content_hash,
        "previous_hash": previous.facts["content_hash"] if previous else None,
        "rows": len(raw.prices),
        "restatements": _json(changes),
        **({"folder": raw.folder} if raw.folder else {}),
    }
    return FetchResult(Dataset({"prices": raw.prices}, facts), True, raw.fetched_at, request, changes)


def _json(changes: Restatements) -> dict[str, Any]:
    return {"counts": changes.counts, "dates": changes.dates()}


def _finished(snapshot: Dataset, ticker: str) -> pd.DataFrame:
    return finished(snapshot.table, _last_closed(ticker, _fetched_at(snapshot)))


def _last_closed(ticker: str, moment: datetime) -> date:
    return last_closed_session(exchange_of(ticker), moment)


def _whole_at(snapshot: Dataset) -> str:
    """When all of the snapshot's rows were last asked for."""
    return str(snapshot.facts.get("whole_at", snapshot.facts["fetched_at"]))


def _fetched_at(snapshot: Dataset) -> datetime:
    return datetime.fromisoformat(snapshot.facts["fetched_at"])


def _readable(store: DatasetStore, ticker: str, stamp: str | None) -> Dataset | None:
    """A stored snapshot; None if it is not there or damaged, so that a fetch can put it right."""
    try:
        return store.read(RAW_PRICES, ticker, stamp=stamp)
    except (NotAvailable, CorruptData):
        return None
