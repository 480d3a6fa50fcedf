"""Serving snapshots as the pipelines left them: `<root>/<TICKER>/current.json`, replaced whole."""

import difflib
import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from zenith_core.errors import CorruptData
from zenith_core.naming import DELISTED
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import UnknownTicker

_logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int]  # a rename changes the inode even within one tick of the clock


class SnapshotStore:
    """Reads a ticker's snapshot once, and again when its file has been replaced."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, tuple[Stamp, ServingSnapshot]] = {}
        self._count = 0
        self._delisted: dict[str, str] | None = None  # not looked yet

    def get(self, ticker: str) -> ServingSnapshot:
        """The current snapshot of a validated ticker. Raises UnknownTicker, or CorruptData if it never was readable."""
        path = f"{self._root}/{ticker}/current.json"  # a Path takes longer to make than to look at
        try:
            stat = os.stat(path)  # noqa: PTH116
        except OSError:
            self._seen.pop(ticker, None)
            raise UnknownTicker(self.nearby(ticker)) from None
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        seen = self._seen.get(ticker)
        if seen is None or seen[0] != stamp:
            seen = self._seen[ticker] = (stamp, self._read(Path(path), seen))
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
        return sorted(path.parent.name for path in self._root.glob("*/current.json"))

    def check(self) -> None:
        """Count the tickers, for `state`, and learn which are delisted."""
        self._count = len(self.tickers())
        self._delisted = self._read_delisted()

    def state(self) -> dict[str, int]:
        """For /health: how many tickers there were at the last `check`. Touches memory only."""
        return {"tickers": self._count}

    def nearby(self, ticker: str) -> list[str]:
        """Up to three tickers that exist and look like this one."""
        return difflib.get_close_matches(ticker, self.tickers(), n=3, cutoff=0.5)

    def _read_delisted(self) -> dict[str, str]:
        found = {}
        for path in self._root.parent.glob(f"{DELISTED}/*/current.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                found[path.parent.name] = str(json.loads(path.read_bytes())["facts"]["reason"])
        return found

    @staticmethod
    def _read(path: Path, seen: tuple[Stamp, ServingSnapshot] | None) -> ServingSnapshot:
        try:
            return ServingSnapshot.from_json(json.loads(path.read_bytes())["facts"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            ticker = path.parent.name
            _logger.warning("snapshot of %s cannot be read: %r", ticker, error)
            if seen is None:
                raise CorruptData(f"the serving snapshot of {ticker} cannot be read: materialize it again") from None
            return seen[1]
