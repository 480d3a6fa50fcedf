"""Serving snapshots as the pipelines wrote them: `<root>/<TICKER>/current.json`, replaced whole."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from zenith_core.errors import CorruptData
from zenith_core.model_kinds.table import KINDS
from zenith_core.names import ALERTS, DELISTED, EVIDENCE, RENAMED, UNIVERSE
from zenith_core.snapshot import ServingSnapshot
from zenith_core.words import counted
from zenith_serving.errors import UnknownTicker
from zenith_serving.published.dataset_reader import DatasetReader, Stamp
from zenith_serving.single_flight import SingleFlight

LEDGER = "forecast_ledger"
_PUBLISHED = (*(f"{kind}_backtest" for kind in KINDS), LEDGER, EVIDENCE, UNIVERSE, ALERTS)  # besides the snapshots
_MAX_PROBLEMS = 10  # in /health
_NOT_LISTED: dict[str, Any] = {"window": (), "recent": (), "other_specs": {}, "distribution": None, "risk_record": {}}


class _ListedFacts(BaseModel):
    """The small fields of a snapshot. `ServingSnapshot` checks their types."""

    ticker: Any
    data_version: Any
    feature_spec: Any
    as_of: Any
    close: Any
    currency: Any
    volatility: Any
    next_sessions: Any
    calendar_end: Any = None
    listing: Any = None
    no_distribution: Any = None


class _ListedDocument(BaseModel):
    facts: _ListedFacts


class SnapshotStore:
    """Reads a ticker's snapshot once, and again when its file has been replaced."""

    def __init__(self, root: Path) -> None:
        self._files = DatasetReader(root)
        self._readers = {asset: DatasetReader(root.parent / asset) for asset in _PUBLISHED}
        self._delisted_files = DatasetReader(root.parent / DELISTED)
        self._renamed = DatasetReader(root.parent / RENAMED)
        self._snapshots: dict[str, tuple[Stamp, ServingSnapshot]] = {}
        self._listed: dict[str, tuple[Stamp, ServingSnapshot]] = {}
        self._reading = SingleFlight[ServingSnapshot]()  # all callers get the same object
        self._problems: dict[str, str] = {}  # of intact files that hold no snapshot
        self._delisted: dict[str, str] | None = None  # read at the first `check` or `delisted`

    def get(self, ticker: str) -> ServingSnapshot:
        """Return the current snapshot of a validated ticker; the last good one if its file is damaged.

        The old name of a renamed ticker has the snapshot of the new one. Raises UnknownTicker, or CorruptData if
        neither disk nor memory has a good one.
        """
        stamp = self._files.stamp(ticker)
        if stamp is None:
            if (name := self.current_name(ticker)) != ticker:
                return self.get(name)
            self._snapshots.pop(ticker, None)
            self._problems.pop(ticker, None)
            raise UnknownTicker(self._files.nearby(ticker))
        entry = self._snapshots.get(ticker)
        if entry and entry[0] == stamp:
            return entry[1]
        return self._reading.do((ticker, stamp), lambda: self._load(ticker, stamp))

    def listed(self, ticker: str) -> ServingSnapshot:
        """Return the snapshot of a validated ticker without its model inputs, closes and distribution, for a list.

        Without this a list of all tickers would fill the memory. Raises as `get`.
        """
        stamp = self._files.stamp(ticker)
        for entry in (self._listed.get(ticker), self._snapshots.get(ticker)):
            if stamp and entry and entry[0] == stamp:
                return entry[1]
        try:
            listed = self._files.read_part(ticker, _ListedDocument).facts.model_dump(exclude_unset=True)
            snapshot = ServingSnapshot.from_json({**listed, **_NOT_LISTED})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._listed.pop(ticker, None)
            return self.get(ticker)  # which reports the damage, and may have a last good one
        if stamp:
            self._listed[ticker] = (stamp, snapshot)
        return snapshot

    def current_name(self, ticker: str) -> str:
        """Return the name under which a validated ticker is served: another one if it was renamed lately."""
        names = [ticker]
        while self._files.stamp(names[-1]) is None:
            with suppress(CorruptData, KeyError):  # logged
                rename = self._renamed.find(names[-1])
                if rename and rename["until"] >= f"{datetime.now(UTC):%Y-%m-%d}" and rename["to"] not in names:
                    names.append(str(rename["to"]))
                    continue
            return ticker
        return names[-1]

    def earlier_names(self, ticker: str) -> list[str]:
        """Return the names that a ticker had before it was renamed."""
        names = {ticker}
        renames = {old: to for old in self._renamed.tickers() if (to := self._new_name(old))}
        while more := {old for old, to in renames.items() if to in names} - names:
            names |= more
        return sorted(names - {ticker})

    def _new_name(self, ticker: str) -> str | None:
        with suppress(CorruptData, KeyError):  # logged
            rename = self._renamed.find(ticker)
            return str(rename["to"]) if rename else None
        return None

    def peek(self, ticker: str) -> ServingSnapshot | None:
        """Return the snapshot if memory holds the file as it is now, else None. Reads no file."""
        entry = self._snapshots.get(ticker)
        return entry[1] if entry and entry[0] == self._files.stamp(ticker) else None

    def delisted(self, ticker: str) -> str | None:
        """Return the price source's reason why the ticker is no longer traded, as of the last `check`, or None."""
        if self._delisted is None:
            self._delisted = self._read_delisted()
        return self._delisted.get(ticker)

    def tickers(self) -> list[str]:
        """Return every ticker that has a snapshot, sorted."""
        return self._files.tickers()

    def tickers_after(self, after: str, prefix: str = "") -> Iterator[str]:
        """Return the tickers that have a snapshot, follow `after` and begin with `prefix`, sorted and one by one."""
        return self._files.tickers_after(after, prefix)

    def reader(self, asset: str) -> DatasetReader:
        """Return the reader of another asset that is published for serving."""
        return self._readers[asset]

    def check(self) -> None:
        """Count the tickers and verify published files, for `state`, and read which tickers are delisted."""
        for reader in (self._files, *self._readers.values()):
            reader.check()
        self._problems = {ticker: text for ticker, text in self._problems.copy().items() if self._files.stamp(ticker)}
        self._delisted = self._read_delisted()

    def state(self) -> dict[str, Any]:
        """Return the number of tickers at the last `check`, and damaged data by ticker, for /health.

        Reads memory only.
        """
        problems = {**self._problems}
        for reader in (*self._readers.values(), self._files):
            problems.update(reader.problems())
        return {
            "state": f"the data of {counted(len(problems), 'ticker')} are damaged" if problems else "ok",
            "tickers": self._files.count,
            "problems": dict(sorted(problems.items())[:_MAX_PROBLEMS]),
        }

    def _read_delisted(self) -> dict[str, str]:
        reasons = {}
        for ticker in self._delisted_files.tickers():
            with suppress(UnknownTicker, CorruptData, KeyError):
                reasons[ticker] = str(self._delisted_files.read(ticker)["reason"])
        return reasons

    def _load(self, ticker: str, stamp: Stamp) -> ServingSnapshot:
        entry = self._snapshots.get(ticker)
        if entry and entry[0] == stamp:
            return entry[1]
        try:
            snapshot = self._read(ticker)
        except CorruptData as error:
            self._problems[ticker] = str(error)
            if entry is None:
                raise
            snapshot = entry[1]
        else:
            self._problems.pop(ticker, None)
        self._snapshots[ticker] = (stamp, snapshot)
        return snapshot

    def _read(self, ticker: str) -> ServingSnapshot:
        facts = self._files.read(ticker)
        try:
            return ServingSnapshot.from_json(facts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._files.unreadable(ticker, error) from None
