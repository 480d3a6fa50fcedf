"""Fetch the next snapshot of raw prices and compare it with the last one.

Snapshots are append-only. A fetch adds one only if the source's answer changed; otherwise it leaves no copy of the
same rows, only its record in Dagster's event log.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from zenith_core.errors import CorruptData, Delisted, NoNewData, NotAvailable
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import last_closed_session
from zenith_core.names import DELISTED
from zenith_core.prices.cleaning import CleaningResult, clean_prices
from zenith_core.prices.restatements import (
    Restatements,
    append_later_rows,
    closed_sessions,
    find_restatements,
    last_sessions,
)
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.ingestion.sources.base import RAW_PRICES, PriceSource, RawPrices

WHOLE_EVERY = timedelta(days=30)  # finds corrections older than the overlap
OVERLAP = 10  # sessions fetched again with an increment: two weeks, in which sources fix most of their errors
SETTLING = timedelta(hours=1)  # after the close, in which a source may still change the session


@dataclass(frozen=True)
class FetchResult:
    """The outcome of one fetch.

    snapshot:   the newest rows with their facts: a new snapshot, or the last one if nothing changed
    is_new:     True if `snapshot` is not stored yet
    checked_at: time of the request
    request:    the sessions requested, in words
    changes:    differences from the last snapshot, in closed sessions
    """

    snapshot: Dataset
    is_new: bool
    checked_at: datetime
    request: str
    changes: Restatements

    @property
    def facts(self) -> dict[str, Any]:
        """The fetch as JSON: the facts of its snapshot, and the check itself."""
        check = {"checked_at": self.checked_at.isoformat(), "how": self.request, "new_snapshot": self.is_new}
        return {**self.snapshot.facts, **check, "restatements": _json(self.changes)}


def fetch_next(store: DatasetStore, source: PriceSource, ticker: str, *, now: datetime | None = None) -> FetchResult:
    """Fetch the sessions after the last snapshot of `source`. Writes nothing; raises the errors of the source."""
    last, is_current = last_snapshot(store, ticker, source.name)
    fetch = fetch_snapshot(source, ticker, last, now=now)
    if fetch.is_new or is_current:
        return fetch
    # The newest snapshot is of another source, or damaged: these rows have to become the newest again.
    snapshot = replace(fetch.snapshot, facts={**fetch.snapshot.facts, "fetched_at": fetch.checked_at.isoformat()})
    return replace(fetch, snapshot=snapshot, is_new=True)


def fetch_and_record_delisting(
    store: DatasetStore, source: PriceSource, ticker: str, *, now: datetime | None = None
) -> FetchResult:
    """Call `fetch_next`, and note for serving if the ticker is delisted. A later successful fetch removes the note.

    Nothing is requested if the last snapshot has all that the source can have (`up_to_date`).
    """
    if not store.exists(DELISTED, ticker) and (fetch := up_to_date(store, source, ticker, now or datetime.now(UTC))):
        return fetch
    try:
        fetch = fetch_next(store, source, ticker)
    except Delisted as error:
        store.write(DELISTED, ticker, Dataset(facts={"reason": str(error)}))
        raise
    store.withdraw(DELISTED, ticker)
    return fetch


def up_to_date(store: DatasetStore, source: PriceSource, ticker: str, now: datetime) -> FetchResult | None:
    """Return the last fetch of a remote source if nothing can have changed since; None if it has to be asked.

    That fetch has the last closed session, came after it had settled, and is not due to be repeated whole.
    """
    last, is_current = last_snapshot(store, ticker, source.name)
    if last is None or not is_current or source.tickers() is not None:
        return None
    fetched_at, session = _fetched_at(last), pd.Timestamp(_last_closed(ticker, now))
    if now - datetime.fromisoformat(_whole_at(last)) >= WHOLE_EVERY:
        return None
    if pd.Timestamp(_last_closed(ticker, fetched_at - SETTLING)) != session:
        return None
    if not last.table["close"][last.table.index == session].notna().any():
        return None
    history = _finished(last, ticker)
    request = f"nothing requested: the fetch of {fetched_at:%Y-%m-%d %H:%M} UTC has the last session"
    return FetchResult(last, False, fetched_at, request, find_restatements(history, history))


def last_snapshot(store: DatasetStore, ticker: str, source: str) -> tuple[Dataset | None, bool]:
    """Return the newest readable snapshot of `source`, and True if it is the current one of the ticker."""
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
    """Fetch the whole history, or only the newest sessions if that is enough.

    The whole history is fetched the first time, every 30 days, and always from local sources (those that list their
    tickers). Otherwise the sessions since a short overlap are fetched. If the overlap agrees with `previous`, the new
    sessions are appended. If it does not (a split applied to the past, a correction, a dividend that moved the adjusted
    close), the older rows are no longer valid either and the whole history is fetched again: no snapshot mixes two
    states of a source.
    """
    now = now or datetime.now(UTC)
    if (
        previous is None
        or source.tickers() is not None
        or now - datetime.fromisoformat(_whole_at(previous)) >= WHOLE_EVERY
    ):
        return _compare(source.fetch(ticker), previous, ticker, "whole history")
    history = _finished(previous, ticker)
    recent_rows = last_sessions(history, OVERLAP)
    if recent_rows.empty:
        return _compare(source.fetch(ticker), previous, ticker, "whole history")
    since, until = recent_rows.index.min().date(), recent_rows.index.max().date()
    try:
        increment = source.fetch(ticker, since)
    except NoNewData as error:
        request = f"sessions from {since} on: nothing new ({error})"
        return FetchResult(previous, False, now, request, find_restatements(history, history))
    if find_restatements(recent_rows, increment.prices).appends_after(until):
        whole = replace(increment, prices=append_later_rows(history, increment.prices))
        return _compare(whole, previous, ticker, f"sessions from {since} on", _whole_at(previous))
    request = f"whole history, because the sessions from {since} on have changed"
    return _compare(source.fetch(ticker), previous, ticker, request)


def clean_snapshot(snapshot: Dataset, ticker: str) -> CleaningResult:
    """Clean the rows as of the time of their fetch: a session that was open then stays unfinished."""
    return clean_prices(snapshot.table, ticker, now=_fetched_at(snapshot), from_file="folder" in snapshot.facts)


def fold_prices(store: DatasetStore) -> int:
    """Fold the price histories that an earlier release wrote; return how many snapshots became references."""
    return sum(store.fold_history(RAW_PRICES, ticker) for ticker in store.tickers(RAW_PRICES))


def _compare(
    raw: RawPrices, previous: Dataset | None, ticker: str, request: str, whole_at: str | None = None
) -> FetchResult:
    """Compare a complete table with the previous one; different rounding is no change.

    whole_at: time of the last whole fetch, if older rows were not fetched now
    """
    last_session = _last_closed(ticker, raw.fetched_at)
    latest = closed_sessions(raw.prices, last_session)
    changes = find_restatements(latest[:0] if previous is None else _finished(previous, ticker), latest)
    if previous is not None and not changes.any and not find_restatements(previous.table, raw.prices).any:
        return FetchResult(previous, False, raw.fetched_at, f"{request}: nothing new", changes)
    facts = {
        "source": raw.source,
        "library": raw.library,
        "fetched_at": raw.fetched_at.isoformat(),
        "whole_at": whole_at or raw.fetched_at.isoformat(),
        "currency": raw.currency,
        **({"listing": dict(raw.listing)} if raw.listing else {}),
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
    return closed_sessions(snapshot.table, _last_closed(ticker, _fetched_at(snapshot)))


def _last_closed(ticker: str, moment: datetime) -> date:
    return last_closed_session(exchange_of(ticker), moment)


def _whole_at(snapshot: Dataset) -> str:
    """Return the time at which all rows of the snapshot were last fetched."""
    return str(snapshot.facts.get("whole_at", snapshot.facts["fetched_at"]))


def _fetched_at(snapshot: Dataset) -> datetime:
    return datetime.fromisoformat(snapshot.facts["fetched_at"])


def _readable(store: DatasetStore, ticker: str, stamp: str | None) -> Dataset | None:
    """Return a stored snapshot; None if it is missing or damaged, so that a fetch can replace it."""
    try:
        return store.read(RAW_PRICES, ticker, stamp=stamp)
    except (NotAvailable, CorruptData):
        return None
