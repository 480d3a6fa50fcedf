"""Serving snapshots as the pipelines wrote them: `<root>/<TICKER>/current.json`, replaced whole."""

import os
from contextlib import suppress
from pathlib import Path

from zenith_core.errors import CorruptData
from zenith_core.names import DELISTED
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.dataset_reader import DatasetReader
from zenith_serving.prediction.single_flight import SingleFlight

Stamp = tuple[int, int, int]  # a rename changes the inode even within one tick of the clock


class SnapshotStore:
    """Reads a ticker's snapshot once, and again when its file has been replaced."""

    def __init__(self, root: Path) -> None:
        self._files = DatasetReader(root)
        self._delisted_files = DatasetReader(root.parent / DELISTED)
        self._snapshots: dict[str, tuple[Stamp, ServingSnapshot]] = {}
        self._reading = SingleFlight[ServingSnapshot]()  # all callers get the same object
        self._count = 0
        self._delisted: dict[str, str] | None = None  # read at the first `check` or `delisted`

    def get(self, ticker: str) -> ServingSnapshot:
        """Return the current snapshot of a validated ticker; the last readable one if its file is corrupt.

        Raises UnknownTicker, or CorruptData if it was never readable.
        """
        stamp = self._stamp(ticker)
        if stamp is None:
            self._snapshots.pop(ticker, None)
            raise UnknownTicker(self._files.nearby(ticker))
        entry = self._snapshots.get(ticker)
        if entry and entry[0] == stamp:
            return entry[1]
        return self._reading.do((ticker, stamp), lambda: self._load(ticker, stamp))

    def peek(self, ticker: str) -> ServingSnapshot | None:
        """Return the snapshot if memory holds the file as it is now, else None. Reads no file."""
        entry = self._snapshots.get(ticker)
        return entry[1] if entry and entry[0] == self._stamp(ticker) else None

    def delisted(self, ticker: str) -> str | None:
        """Return the price source's reason why the ticker is no longer traded, as of the last `check`, or None."""
        if self._delisted is None:
            self._delisted = self._read_delisted()
        return self._delisted.get(ticker)

    def tickers(self) -> list[str]:
        """Return every ticker that has a snapshot, sorted."""
        return self._files.tickers()

    def check(self) -> None:
        """Count the tickers, for `state`, and read which are delisted."""
        self._count = len(self.tickers())
        self._delisted = self._read_delisted()

    def state(self) -> dict[str, int]:
        """Return the number of tickers at the last `check`, for /health. Reads memory only."""
        return {"tickers": self._count}

    def _stamp(self, ticker: str) -> Stamp | None:
        try:
            stat = os.stat(self._files.file(ticker))  # noqa: PTH116  # making a Path takes longer than the call
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

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
        except CorruptData:
            if entry is None:
                raise
            snapshot = entry[1]
        self._snapshots[ticker] = (stamp, snapshot)
        return snapshot

    def _read(self, ticker: str) -> ServingSnapshot:
        facts = self._files.read(ticker)
        try:
            return ServingSnapshot.from_json(facts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._files.unreadable(ticker, error) from None
