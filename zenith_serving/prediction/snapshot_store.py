"""Serving snapshots as the pipelines left them: `<root>/<TICKER>/current.json`, replaced whole."""

import os
from contextlib import suppress
from pathlib import Path

from zenith_core.errors import CorruptData
from zenith_core.names import DELISTED
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import UnknownTicker
from zenith_serving.prediction.dataset_reader import FactsFolder

Stamp = tuple[int, int, int]  # a rename changes the inode even within one tick of the clock


class SnapshotStore:
    """Reads a ticker's snapshot once, and again when its file has been replaced."""

    def __init__(self, root: Path) -> None:
        self._files = FactsFolder(root)
        self._delisted_files = FactsFolder(root.parent / DELISTED)
        self._seen: dict[str, tuple[Stamp, ServingSnapshot]] = {}
        self._count = 0
        self._delisted: dict[str, str] | None = None  # not looked yet

    def get(self, ticker: str) -> ServingSnapshot:
        """The current snapshot of a validated ticker. Raises UnknownTicker, or CorruptData if it never was readable."""
        path = self._files.file(ticker)
        try:
            stat = os.stat(path)  # noqa: PTH116  # a Path takes longer to make than to look at
        except OSError:
            self._seen.pop(ticker, None)
            raise UnknownTicker(self.nearby(ticker)) from None
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        seen = self._seen.get(ticker)
        if seen is None or seen[0] != stamp:
            seen = self._seen[ticker] = (stamp, self._read(ticker, seen))
        return seen[1]

    def delisted(self, ticker: str) -> str | None:
        """Why the ticker is traded no more, as its price source said by the last `check`; None if it did not say so."""
        if self._delisted is None:
            self._delisted = self._read_delisted()
        return self._delisted.get(ticker)

    def is_loaded(self, ticker: str) -> bool:
        """Whether `get` needs no more than a look at the file's date, unless it was replaced."""
        return ticker in self._seen

    def tickers(self) -> list[str]:
        """Every ticker that has a snapshot."""
        return self._files.tickers()

    def check(self) -> None:
        """Count the tickers, for `state`, and learn which are delisted."""
        self._count = len(self.tickers())
        self._delisted = self._read_delisted()

    def state(self) -> dict[str, int]:
        """For /health: how many tickers there were at the last `check`. Touches memory only."""
        return {"tickers": self._count}

    def nearby(self, ticker: str) -> list[str]:
        """Up to three tickers that exist and look like this one."""
        return self._files.nearby(ticker)

    def _read_delisted(self) -> dict[str, str]:
        found = {}
        for ticker in self._delisted_files.tickers():
            with suppress(UnknownTicker, CorruptData, KeyError):
                found[ticker] = str(self._delisted_files.read(ticker)["reason"])
        return found

    def _read(self, ticker: str, seen: tuple[Stamp, ServingSnapshot] | None) -> ServingSnapshot:
        try:
            facts = self._files.read(ticker)
            try:
                return ServingSnapshot.from_json(facts)
            except (ValueError, KeyError, TypeError) as error:
                raise self._files.unreadable(ticker, error) from None
        except CorruptData:
            if seen is None:
                raise
            return seen[1]
