"""What the pipelines wrote of an asset for serving: `<root>/<asset>/<TICKER>/current.json`, replaced whole."""

import difflib
import json
import logging
from pathlib import Path
from typing import Any

from zenith_core.errors import CorruptData
from zenith_serving.errors import UnknownTicker

_logger = logging.getLogger(__name__)


class FactsFolder:
    """The facts of one asset, by ticker. Nothing is kept: a file is read when it is asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def file(self, ticker: str) -> str:
        """Where the facts of a validated ticker are, if there are any."""
        return f"{self._root}/{ticker}/current.json"

    def read(self, ticker: str) -> dict[str, Any]:
        """The facts of a validated ticker. Raises UnknownTicker, or CorruptData if they cannot be read."""
        try:
            facts: dict[str, Any] = json.loads(Path(self.file(ticker)).read_bytes())["facts"]
        except FileNotFoundError:
            raise UnknownTicker(self.nearby(ticker)) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self.unreadable(ticker, error) from None
        return facts

    def unreadable(self, ticker: str, error: Exception) -> CorruptData:
        """The error to raise for facts that are not what they should be; what was wrong is logged."""
        asset = self._root.name
        _logger.warning("%s of %s cannot be read: %r", asset, ticker, error)
        return CorruptData(f"the {asset.replace('_', ' ')} of {ticker} cannot be read: materialize it again")

    def tickers(self) -> list[str]:
        """Every ticker that has facts."""
        return sorted(path.parent.name for path in self._root.glob("*/current.json"))

    def nearby(self, ticker: str) -> list[str]:
        """Up to three tickers that have facts and look like this one."""
        return nearby(ticker, self.tickers())


def nearby(ticker: str, tickers: list[str]) -> list[str]:
    """Up to three of `tickers` that look like this one."""
    return difflib.get_close_matches(ticker, tickers, n=3, cutoff=0.5)
