"""Which tickers there are: the dynamic partitions "tickers" of the Dagster instance, whoever added them.

A ticker that is none of them any more is scheduled no more and served no more. Its prices, models and forecasts stay
until clean-up; to add it and to materialize it brings it back.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zenith_core.errors import InvalidTicker, NotAvailable, RemovedTicker, UserError
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

PARTITIONS = "tickers"
SERVED = "serving_snapshot"  # the dataset without which serving answers 404


def known_tickers(instance: "dg.DagsterInstance") -> list[str]:
    """All tickers that are tickers, sorted. The UI lets people add any text: what is none never gets a run from us."""
    return sorted(key for key in instance.get_dynamic_partitions(PARTITIONS) if _is_ticker(key))


def present_tickers(instance: "dg.DagsterInstance", tickers: list[str]) -> list[str]:
    """The tickers, if all are there. Raises NotAvailable."""
    if unknown := [ticker for ticker in tickers if not instance.has_dynamic_partition(PARTITIONS, ticker)]:
        raise NotAvailable(f"{', '.join(unknown)}: not among the tickers, which `zenith tickers list` shows")
    return tickers


def add_tickers(instance: "dg.DagsterInstance", tickers: Iterable[str]) -> list[str]:
    """Add what is not there yet, and return it. Tickers are validated ones."""
    added = [ticker for ticker in tickers if not instance.has_dynamic_partition(PARTITIONS, ticker)]
    instance.add_dynamic_partitions(PARTITIONS, added)
    return added


def remove_tickers(instance: "dg.DagsterInstance", settings: Settings, tickers: Iterable[str]) -> list[str]:
    """Remove all of them, or none: raises UserError if one is not there, or would come back from ZENITH_TICKERS."""
    tickers = present_tickers(instance, list(tickers))
    if named := [ticker for ticker in tickers if ticker in settings.tickers]:
        raise UserError(f"{', '.join(named)}: ZENITH_TICKERS would bring it back; take it out there")
    for ticker in tickers:
        instance.delete_dynamic_partition(PARTITIONS, ticker)
        # In this order: a run that stores a snapshot looks again for its partition afterwards (`require_ticker`).
        DatasetStore(settings.data_uri).withdraw(SERVED, ticker)
    return tickers


def require_ticker(instance: "dg.DagsterInstance", key: str) -> str:
    """The partition key, if it is a ticker and still there. Raises InvalidTicker or RemovedTicker."""
    exchange_of(key)
    if validate_ticker(key) != key:
        raise InvalidTicker("not a ticker as partitions have them: capitals, such as PETR4.SA or AAPL")
    if not instance.has_dynamic_partition(PARTITIONS, key):
        raise RemovedTicker(removal(key))
    return key


def removal(ticker: str) -> str:
    """Why a run ends whose ticker is gone. Dagster itself only says that a "partition range" is invalid."""
    return f"{ticker} was removed from the tickers: the run stops, and nothing of it is served"


def _is_ticker(key: str) -> bool:
    try:
        return exchange_of(key) is not None and validate_ticker(key) == key
    except InvalidTicker:
        return False
