"""The tickers: the dynamic partitions "tickers" of the Dagster instance, and their sync with ZENITH_TICKERS.

A removed ticker is neither scheduled nor served. Its prices, models and forecasts stay until cleanup; adding and
materializing it again brings it back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from zenith_core.errors import InvalidTicker, NotAvailable, RemovedTicker, UserError
from zenith_core.market.exchanges import exchange_of, listed_tickers
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

PARTITIONS = "tickers"
SERVED = "serving_snapshot"  # the dataset without which serving answers 404


def known_tickers(instance: "dg.DagsterInstance") -> list[str]:
    """Return all tickers, sorted. The UI accepts any text as a partition: invalid tickers are left out."""
    return sorted(key for key in instance.get_dynamic_partitions(PARTITIONS) if _is_ticker(key))


def tickers_of_unknown_exchanges(instance: "dg.DagsterInstance") -> list[str]:
    """Return the tickers that are valid, but whose exchange ZENITH_EXCHANGES does not name here; sorted."""
    keys = instance.get_dynamic_partitions(PARTITIONS)
    return sorted(key for key in keys if _is_valid(key) and not _is_ticker(key))


def present_tickers(instance: "dg.DagsterInstance", tickers: list[str]) -> list[str]:
    """Return `tickers`. Raises NotAvailable if one does not exist."""
    partitions = set(instance.get_dynamic_partitions(PARTITIONS))
    if missing := [ticker for ticker in tickers if ticker not in partitions]:
        raise NotAvailable(f"{', '.join(missing)}: not among the tickers, which `zenith tickers list` shows")
    return tickers


def select_tickers(instance: "dg.DagsterInstance", names: Sequence[str]) -> list[str]:
    """Return the tickers of `names`, each a ticker or a comma-separated list; all tickers if it is empty.

    Raises InvalidTicker; NotAvailable for a ticker that does not exist, and if there are no tickers at all.
    """
    if names:
        return present_tickers(instance, listed_tickers(",".join(names)))
    if tickers := known_tickers(instance):
        return tickers
    raise NotAvailable("there are no tickers yet: `zenith tickers add AAPL`")


def add_tickers(instance: "dg.DagsterInstance", tickers: Iterable[str]) -> list[str]:
    """Add validated tickers; return those that are new."""
    partitions = set(instance.get_dynamic_partitions(PARTITIONS))
    new = [ticker for ticker in tickers if ticker not in partitions]
    instance.add_dynamic_partitions(PARTITIONS, new)
    return new


def remove_tickers(instance: "dg.DagsterInstance", settings: Settings, tickers: Iterable[str]) -> list[str]:
    """Remove all of `tickers`, or none. Raises UserError if one is in ZENITH_TICKERS, NotAvailable if it is missing."""
    tickers = present_tickers(instance, list(tickers))
    if in_setting := [ticker for ticker in tickers if ticker in settings.tickers]:
        raise UserError(f"{', '.join(in_setting)}: ZENITH_TICKERS would add it again; remove it there")
    from zenith_pipelines.production.ledger import record_removal

    store = DatasetStore(settings.data_uri)
    for ticker in tickers:
        instance.delete_dynamic_partition(PARTITIONS, ticker)
        # In this order: a run that stores a snapshot checks its partition afterwards (`require_ticker`).
        store.withdraw(SERVED, ticker)
        record_removal(store, ticker)
    return tickers


def removed_tickers(instance: "dg.DagsterInstance") -> set[str]:
    """Return the tickers without a partition that this instance has fetched prices for.

    Tickers of another installation on the same MLflow server are not among them.
    """
    import dagster as dg

    tickers_with_prices = instance.get_materialized_partitions(dg.AssetKey("raw_prices"))
    return tickers_with_prices - set(instance.get_dynamic_partitions(PARTITIONS))


def require_ticker(instance: "dg.DagsterInstance", key: str) -> str:
    """Return the partition key if it is an existing ticker. Raises InvalidTicker or RemovedTicker."""
    exchange_of(key)
    if validate_ticker(key) != key:
        raise InvalidTicker("not a ticker as partitions have them: capitals, such as PETR4.SA or AAPL")
    if not instance.has_dynamic_partition(PARTITIONS, key):
        raise RemovedTicker(removal(key))
    return key


def removal(ticker: str) -> str:
    """Return the reason that ends a run of a removed ticker. Dagster only reports an invalid "partition range"."""
    return f"{ticker} was removed from the tickers: the run stops, and nothing of it is served"


@dataclass(frozen=True)
class SyncState:
    """The result of the last sync: tickers that ZENITH_TICKERS has added, and all tickers that existed."""

    added: tuple[str, ...] = ()
    present: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values; `from_json` restores them."""
        return {"added": self.added, "seen": self.present}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(added=tuple(document["added"]), present=tuple(document["seen"]))


@dataclass(frozen=True)
class TickerSyncPlan:
    """Partitions to add and to delete, tickers to withdraw from serving, and the state for the next sync."""

    add: tuple[str, ...]
    delete: tuple[str, ...]
    withdraw: tuple[str, ...]
    state: SyncState


def plan_ticker_sync(setting: Sequence[str], present: Sequence[str], state: SyncState) -> TickerSyncPlan:
    """Plan the sync of the tickers `present` with ZENITH_TICKERS.

    The setting adds every ticker that it names, also one that a person has removed. It deletes only tickers that it
    has added: one that existed before, or that a person added, stays when the setting no longer names it.

    A removed ticker is withdrawn from serving at the next sync after its removal, when no run can store it again. A
    ticker that never existed here is left alone, because another instance may share the data.
    """
    names, existing = set(setting), set(present)
    add = tuple(ticker for ticker in setting if ticker not in existing)
    delete = tuple(ticker for ticker in state.added if ticker in existing and ticker not in names)
    still_added = tuple(ticker for ticker in state.added if ticker in names and ticker in existing)
    tickers = existing.union(add)
    withdraw = tuple(ticker for ticker in state.present if ticker not in tickers)
    return TickerSyncPlan(add, delete, withdraw, SyncState(added=(*still_added, *add), present=tuple(sorted(tickers))))


def _is_ticker(key: str) -> bool:
    try:
        return exchange_of(key) is not None and _is_valid(key)
    except InvalidTicker:
        return False


def _is_valid(key: str) -> bool:
    try:
        return validate_ticker(key) == key
    except InvalidTicker:
        return False
