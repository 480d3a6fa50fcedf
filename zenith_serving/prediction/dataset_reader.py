"""Read what the pipelines wrote of an asset for serving: `<root>/<asset>/<TICKER>/current.json`, replaced whole."""

import json
import logging
from pathlib import Path
from typing import Any

from zenith_core.errors import CorruptData
from zenith_serving.errors import UnknownTicker, nearby

_logger = logging.getLogger(__name__)


class DatasetReader:
    """The facts of one asset, by ticker. Nothing is kept: each call reads the file."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def file(self, ticker: str) -> str:
        """Return the path of a validated ticker's facts; the file may be missing."""
        return f"{self._root}/{ticker}/current.json"

    def read(self, ticker: str) -> dict[str, Any]:
        """Return the facts of a validated ticker. Raises UnknownTicker, or CorruptData if they cannot be read."""
        facts = self.find(ticker)
        if facts is None:
            raise UnknownTicker(self.nearby(ticker))
        return facts

    def find(self, ticker: str) -> dict[str, Any] | None:
        """Return the facts of a validated ticker, None if there are none. Raises CorruptData as `read` does."""
        try:
            facts: dict[str, Any] = json.loads(Path(self.file(ticker)).read_bytes())["facts"]
            if not isinstance(facts, dict):
                raise TypeError("facts are not an object")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self.unreadable(ticker, error) from None
        return facts

    def unreadable(self, ticker: str, error: Exception) -> CorruptData:
        """Log the error, and return the CorruptData to raise for unreadable facts."""
        asset = self._root.name
        _logger.warning("%s of %s cannot be read: %r", asset, ticker, error)
        return CorruptData(f"the {asset.replace('_', ' ')} of {ticker} cannot be read: materialize it again")

    def tickers(self) -> list[str]:
        """Return every ticker that has facts, sorted."""
        return sorted(path.parent.name for path in self._root.glob("*/current.json"))

    def nearby(self, ticker: str) -> list[str]:
        """Return up to three tickers that have facts and look like this one."""
        return nearby(ticker, self.tickers())
