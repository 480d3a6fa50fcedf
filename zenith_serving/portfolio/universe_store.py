"""The forecast of all tickers, as the pipelines published it."""

from pathlib import Path
from typing import Any

from zenith_core.errors import CorruptData
from zenith_core.names import ALL_TICKERS, UNIVERSE_LEDGER
from zenith_core.portfolio.universe import Universe
from zenith_serving.errors import UniverseUnavailable
from zenith_serving.published.dataset_reader import DatasetReader, Stamp
from zenith_serving.single_flight import SingleFlight


class UniverseStore:
    """Reads the file once, and again when it has been replaced."""

    def __init__(self, root: Path) -> None:
        self._file, self._ledger = DatasetReader(root), DatasetReader(root.parent / UNIVERSE_LEDGER)
        self._loading = SingleFlight[tuple[Universe, dict[str, Any]]]()
        self._entry: tuple[Stamp, tuple[Universe, dict[str, Any]]] | None = None

    def get(self) -> tuple[Universe, dict[str, Any]]:
        """Return the universe and the stored ranks by horizon; the last good ones if the file is damaged.

        Raises UniverseUnavailable if there is none yet, and CorruptData if neither disk nor memory has a good one.
        """
        stamp, entry = self._file.stamp(ALL_TICKERS), self._entry
        if stamp is None:
            raise UniverseUnavailable
        if entry and entry[0] == stamp:
            return entry[1]
        return self._loading.do(stamp, lambda: self._load(stamp))

    def record(self) -> dict[str, Any]:
        """Return the record of past forecasts by horizon; none if its file is missing or damaged."""
        try:
            facts = self._ledger.find(ALL_TICKERS)
        except CorruptData:  # logged
            return {}
        return dict(facts["record"]) if facts else {}

    def check(self) -> None:
        """Load a new file before a request needs it. A damaged one is logged, and named by the answers."""
        try:
            self.get()
        except (UniverseUnavailable, CorruptData):
            return

    def _load(self, stamp: Stamp) -> tuple[Universe, dict[str, Any]]:
        try:
            content = self._read()
        except CorruptData:
            if self._entry is None:
                raise
            content = self._entry[1]
        self._entry = stamp, content
        return content

    def _read(self) -> tuple[Universe, dict[str, Any]]:
        facts = self._file.read(ALL_TICKERS)
        try:
            return Universe.from_json(facts), dict(facts["ranks"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._file.unreadable(ALL_TICKERS, error) from None
