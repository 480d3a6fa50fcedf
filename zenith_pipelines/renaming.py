"""Rename a ticker: its prices, history, ledger and models go on under the new name (docs/decisions/0064).

Each step can be repeated. A note under the old name says which rename is under way, so that the same command goes on
where a killed one ended. Nothing of the old name is deleted before all of it is there under the new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from zenith_core.errors import CorruptData, NotAvailable, UserError
from zenith_core.market.exchanges import exchange_of
from zenith_core.names import RENAMED
from zenith_pipelines.dagster_runtime.dead_runs import fail_dead_runs
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.ledger import record_rename
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.trials import TRIAL_TAG
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import PARTITIONS, SERVED, present_tickers

BOTH_ANSWER = timedelta(days=90)
"""The time in which both names answer."""

_PARTITION = "dagster/partition"  # tag of a run
_UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]


@dataclass(frozen=True)
class Rename:
    """A rename, as its note has it.

    until:  the last day on which both names answer, ISO
    models: names of the registered models before it
    """

    old: str
    new: str
    until: str
    models: Sequence[str]
    finished: bool = False

    @classmethod
    def read(cls, store: DatasetStore, old: str) -> "Rename | None":
        """Return the last rename of a ticker, or None."""
        try:
            facts = store.facts(RENAMED, old)
        except (NotAvailable, CorruptData):
            return None
        return cls(old, facts["to"], facts["until"], facts["models"], facts["finished"])

    def write(self, store: DatasetStore, *, finished: bool) -> None:
        """Store the note."""
        facts = {"to": self.new, "until": self.until, "models": list(self.models), "finished": finished}
        store.write(RENAMED, self.old, Dataset(facts=facts))


def rename_ticker(
    instance: dg.DagsterInstance, settings: Settings, registry: ModelRegistry, old: str, new: str
) -> Rename:
    """Rename a ticker, or finish the rename that was killed. Raises UserError or NotAvailable, and changes nothing."""
    store = DatasetStore(settings.data_uri)
    fail_dead_runs(settings)
    rename = Rename.read(store, old)
    if rename is None or rename.finished or rename.new != new:
        rename = _begin(instance, settings, store, registry, old, new)
    instance.delete_dynamic_partition(PARTITIONS, old)  # no run begins with it from here on
    _require_no_run(instance, old, new)
    for name in store.names(old):
        if name != RENAMED:
            store.copy(name, old, new, lambda facts: _renamed(facts, old, new))
    record_rename(store, old, new)
    for model in rename.models:
        registry.rename(model, f"{model.partition('-')[0]}-{new}", new, TRIAL_TAG)
    _copy_records(instance, old, new)
    store.withdraw(RENAMED, new)  # of a rename back
    instance.add_dynamic_partitions(PARTITIONS, [new])
    for name in store.names(old):
        if name != RENAMED:
            store.delete(name, old)
    rename.write(store, finished=True)
    return rename


def current_name(settings: Settings, ticker: str) -> str:
    """Return the name that a ticker has now: another one if it was renamed lately and nothing new has the old name."""
    store, names = DatasetStore(settings.data_uri), [ticker]
    today = datetime.now(UTC).date().isoformat()
    while not store.exists(SERVED, names[-1]):
        rename = Rename.read(store, names[-1])
        if rename is None or rename.until < today or rename.new in names:
            return ticker
        names.append(rename.new)
    if len(names) > 1:
        with open_instance(settings) as instance:
            if instance.has_dynamic_partition(PARTITIONS, ticker):
                return ticker
    return names[-1]


def unfinished_renames(store: DatasetStore) -> list[Rename]:
    """Return the renames that were killed in the middle."""
    renames = (Rename.read(store, ticker) for ticker in store.tickers(RENAMED))
    return [rename for rename in renames if rename and not rename.finished]


def _begin(
    instance: dg.DagsterInstance, settings: Settings, store: DatasetStore, registry: ModelRegistry, old: str, new: str
) -> Rename:
    """Check all that can be refused, then store the note of the rename."""
    if old == new:
        raise UserError(f"{old} has this name already: name a new one")
    earlier = Rename.read(store, old)
    if earlier and not instance.has_dynamic_partition(PARTITIONS, old):
        raise NotAvailable(f"{old} was renamed already, to {earlier.new}")
    present_tickers(instance, [old])
    if old in settings.tickers:
        raise UserError(f"{old}: ZENITH_TICKERS would add it again; name {new} there instead")
    if exchange_of(old) != exchange_of(new):
        raise UserError(
            f"{old} and {new} are of different markets: their sessions and prices do not continue each other"
        )
    names = registry.names() if registry.exists else []
    if instance.has_dynamic_partition(PARTITIONS, new) or _has_data(store, new) or _models_of(names, new):
        raise UserError(f"{new} exists already: its prices and models would be mixed with those of {old}")
    if rename := next((rename for rename in unfinished_renames(store) if new in (rename.old, rename.new)), None):
        raise UserError(f"{new}: first finish `zenith tickers rename {rename.old} {rename.new}`")
    _require_no_run(instance, old, new)
    until = (datetime.now(UTC).date() + BOTH_ANSWER).isoformat()
    rename = Rename(old, new, until, _models_of(names, old))
    rename.write(store, finished=False)
    return rename


def _require_no_run(instance: dg.DagsterInstance, *tickers: str) -> None:
    """Raise UserError if a run of one of the tickers is in progress."""
    for ticker in tickers:
        runs = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED, tags={_PARTITION: ticker}), limit=1)
        if runs:
            raise UserError(f"{ticker} has a run in progress, {runs[0].run_id}: wait for its end, or cancel it")


def _has_data(store: DatasetStore, ticker: str) -> bool:
    return bool(set(store.names(ticker)) - {RENAMED})


def _models_of(names: Sequence[str], ticker: str) -> list[str]:
    return [name for name in names if name.partition("-")[2] == ticker]


def _renamed(facts: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return the facts with the new name where they name the ticker or one of its models, at any depth."""

    def change(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: change(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [change(key, item) for item in value]
        if key == "ticker" and value == old:
            return new
        if key == "model" and isinstance(value, str) and value.partition("-")[2] == old:
            return f"{value.partition('-')[0]}-{new}"
        return value

    changed: dict[str, Any] = change("", facts)
    return changed


def _copy_records(instance: dg.DagsterInstance, old: str, new: str) -> None:
    """Report the newest materialization of each asset under the new name, unless it has one: the UI shows its data."""
    for key in instance.all_asset_keys():
        newest = {}
        for ticker in (old, new):
            records = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[ticker])
            newest[ticker] = next(iter(instance.fetch_materializations(records, limit=1).records), None)
        record = newest[old]
        if record and record.asset_materialization and newest[new] is None:
            event = record.asset_materialization
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    key, description=event.description, metadata=event.metadata, partition=new, tags=event.tags
                )
            )
