"""Read what the pipelines published of an asset: `<root>/<asset>/<TICKER>/current.json`, sealed and replaced whole.

A file that does not match its checksum is never used. The copy that the pipelines keep beside it goes on,
`<root>/<asset>/<TICKER>/<stamp>/manifest.json` (docs/decisions/0045).
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zenith_core.errors import CorruptData
from zenith_core.sealed_json import Part, is_intact, unseal, unseal_part
from zenith_serving.errors import UnknownTicker, nearby

Stamp = tuple[int, int, int]  # a rename changes the inode even within one tick of the clock

MAX_CHECKS = 500
"""The most files that one `check` looks at."""

MAX_VERIFIED = 50
"""The most files that one `check` reads, because they are new: at a start, or after the refreshes of a night."""

_logger = logging.getLogger(__name__)


class DatasetReader:
    """The facts of one asset, by ticker. Keeps no facts, only the tickers whose file is damaged."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stamps: dict[str, Stamp] = {}  # of the files that `check` has verified
        self._tickers: list[str] = []  # at the start of the present round of checks
        self._unchecked: list[str] = []  # in this round
        self._problems: dict[str, str] = {}

    @property
    def asset(self) -> str:
        """The asset's name."""
        return self._root.name

    def stamp(self, ticker: str) -> Stamp | None:
        """Return a stamp that changes when a validated ticker's file is replaced, or None without a file."""
        try:
            stat = os.stat(f"{self._root}/{ticker}/current.json")  # noqa: PTH116  # a Path takes longer than the call
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def read(self, ticker: str) -> dict[str, Any]:
        """Return the facts of a validated ticker. Raises UnknownTicker, or CorruptData if they cannot be read."""
        facts = self.find(ticker)
        if facts is None:
            raise UnknownTicker(self.nearby(ticker))
        return facts

    def read_part(self, ticker: str, part: type[Part]) -> Part:
        """Return the fields of `part` from the document of a validated ticker, in a fraction of the time of `read`.

        Raises OSError or ValueError if they cannot be read: `read` says more, and finds a copy.
        """
        return unseal_part(self._file(ticker).read_bytes(), part)

    def find(self, ticker: str) -> dict[str, Any] | None:
        """Return the facts of a validated ticker, None if there are none.

        Damaged facts are replaced by their newest intact copy. Raises CorruptData if there is none.
        """
        file = self._file(ticker)
        try:
            return _facts(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            corrupt = self.unreadable(ticker, error)
        for copy in sorted(file.parent.glob("*/manifest.json"), reverse=True):
            try:
                return _facts(copy)
            except (OSError, ValueError, KeyError, TypeError):
                continue
        raise corrupt

    def unreadable(self, ticker: str, error: Exception) -> CorruptData:
        """Log the error, and return the CorruptData to raise for unreadable facts."""
        _logger.warning("%s of %s cannot be read: %r", self.asset, ticker, error)
        return CorruptData(f"the {self.asset.replace('_', ' ')} of {ticker} cannot be read: materialize it again")

    def check(self) -> None:
        """Verify the files that were replaced since they were last checked, for `problems`.

        Looks at up to MAX_CHECKS files and reads up to MAX_VERIFIED, so that many tickers take several calls, and as
        little time in each as few do.
        """
        if not self._unchecked:
            self._tickers = self._unchecked = self.tickers()
            self._stamps = {ticker: self._stamps[ticker] for ticker in self._tickers if ticker in self._stamps}
            self._problems = {ticker: self._problems[ticker] for ticker in self._tickers if ticker in self._problems}
        reads = 0
        for looked_at, ticker in enumerate(self._unchecked[:MAX_CHECKS]):
            stamp = self.stamp(ticker)
            if stamp and stamp != self._stamps.get(ticker):
                if reads == MAX_VERIFIED:
                    self._unchecked = self._unchecked[looked_at:]
                    return
                self._verify(ticker)
                self._stamps[ticker] = stamp
                reads += 1
        self._unchecked = self._unchecked[MAX_CHECKS:]

    @property
    def count(self) -> int:
        """The number of tickers at the start of the present round of checks. Reads memory only."""
        return len(self._tickers)

    def problems(self) -> dict[str, str]:
        """Return the damage that the last `check` found, by ticker. Reads memory only."""
        return dict(self._problems)

    def tickers(self) -> list[str]:
        """Return every ticker that has facts, sorted."""
        return list(self.tickers_after(""))

    def tickers_after(self, after: str, prefix: str = "") -> Iterator[str]:
        """Return the tickers that have facts, follow `after` and begin with `prefix`, sorted.

        Each is looked for when it is reached, so a page of a long list looks at few files.
        """
        try:
            names = os.listdir(self._root)  # noqa: PTH208  # paths of ten thousand tickers take a second
        except OSError:
            return
        for name in sorted(name for name in names if name > after and name.startswith(prefix)):
            if self.stamp(name):
                yield name

    def nearby(self, ticker: str) -> list[str]:
        """Return up to three tickers that have facts and look like this one."""
        return nearby(ticker, self.tickers())

    def _file(self, ticker: str) -> Path:
        return self._root / ticker / "current.json"

    def _verify(self, ticker: str) -> None:
        try:
            content = self._file(ticker).read_bytes()
            if not is_intact(content):
                unseal(content)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            if ticker not in self._problems:
                _logger.warning("%s of %s is damaged: %s", self.asset, ticker, error)
            self._problems[ticker] = f"the {self.asset.replace('_', ' ')} is damaged: materialize it again"
        else:
            self._problems.pop(ticker, None)


def _facts(file: Path) -> dict[str, Any]:
    """Raises OSError, ValueError, KeyError or TypeError for anything but an intact file."""
    facts: dict[str, Any] = unseal(file.read_bytes())["facts"]
    if not isinstance(facts, dict):
        raise TypeError("facts are not an object")
    return facts
