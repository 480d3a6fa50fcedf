"""Resources of assets: the dataset store, the registry, progress.

They read the settings in a run, never at import. Tests and the command line replace a resource by another object, not
by a flag.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG
from pydantic import PrivateAttr

from zenith_core.asset_selection import REFRESH_JOBS
from zenith_core.errors import InvalidTicker, RemovedTicker
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.dagster_runtime.dead_runs import require_unfinished
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock, hold_ticker
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.metadata import page_links
from zenith_pipelines.defs.run_requests import BATCH, requester
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import SERVED, require_ticker

KEEP_HISTORY = "zenith/keep_history"  # metadata of an asset whose earlier snapshots are kept


class ZenithResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The settings, and the store and registry that they name. The resource holds the lock of its run."""

    _context: dg.InitResourceContext | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator["ZenithResource"]:
        """Hold the locks of the run and of its ticker while the run works. An ephemeral instance needs none."""
        self._context = context
        with ExitStack() as locks:
            if context.run and context.instance and context.instance.is_persistent:
                locks.enter_context(hold_run_lock(self.settings, context.run.run_id))
                with suppress(InvalidTicker):  # the UI accepts any text as a partition: `require_ticker` refuses it
                    ticker = validate_ticker(context.run.tags.get(PARTITION_NAME_TAG, ""))
                    locks.enter_context(hold_ticker(self.settings, ticker, context.log))
            yield self

    def fence(self) -> None:
        """Raise RunEnded if the run has ended and must not write. Outside a run, writing is allowed."""
        if self._context and self._context.run and self._context.instance:
            require_unfinished(self._context.instance, self._context.run.run_id)

    @property
    def requested_by(self) -> str | None:
        """The schedule, sensor or API key that requested the run; None for a person on this machine."""
        return requester(self._context.run.tags) if self._context and self._context.run else None

    @property
    def is_refresh(self) -> bool:
        """True in a run that trains nothing."""
        return bool(self._context and self._context.run and self._context.run.job_name in REFRESH_JOBS)

    @property
    def draws_plots(self) -> bool:
        """False in a refresh and in a batch: they come by the clock, and drawing would take much of their time."""
        in_batch = bool(self._context and self._context.run and BATCH in self._context.run.tags)
        return not (self.is_refresh or in_batch)

    @cached_property
    def settings(self) -> Settings:
        """The environment, read once per run."""
        return Settings()

    @cached_property
    def store(self) -> DatasetStore:
        """Datasets under ZENITH_HOME."""
        return DatasetStore(self.settings.data_uri)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The MLflow registry."""
        return ModelRegistry(self.settings.tracking_uri, self.settings.artifact_root, self.fence)


class DatasetIOManager(dg.ConfigurableIOManager):
    """Reads and writes datasets in the store. It owns the paths: an asset never builds a file name."""

    zenith: ZenithResource

    def handle_output(self, context: dg.OutputContext, obj: Dataset) -> None:
        """Store the asset's dataset for the run's ticker."""
        keep = bool((context.definition_metadata or {}).get(KEEP_HISTORY))
        instance = context.step_context.instance
        ticker = require_ticker(instance, context.partition_key)
        store_dataset(self.zenith, instance, _name(context), ticker, obj, keep_history=keep)
        context.add_output_metadata(page_links(self.zenith.settings, ticker))

    def load_input(self, context: dg.InputContext) -> Dataset:
        """Load the current dataset of an upstream asset for the run's ticker."""
        ticker = require_ticker(context.instance, context.partition_key)
        return self.zenith.store.read(_name(context), ticker)


def store_dataset(
    zenith: ZenithResource,
    instance: dg.DagsterInstance,
    name: str,
    ticker: str,
    dataset: Dataset,
    *,
    keep_history: bool,
) -> None:
    """Store the dataset of an asset, unless the run has ended; withdraw a snapshot of a ticker that was removed."""
    zenith.store.write(name, ticker, dataset, keep_history=keep_history, fence=zenith.fence)
    if name == SERVED:
        try:
            require_ticker(instance, ticker)
        except RemovedTicker:
            zenith.store.withdraw(SERVED, ticker)
            raise


def _name(context: dg.InputContext | dg.OutputContext) -> str:
    return str(context.asset_key.path[-1])


def resources(progress: Progress) -> dict[str, Any]:
    """Return the resources of the code location."""
    zenith = ZenithResource()
    return {"zenith": zenith, "io_manager": DatasetIOManager(zenith=zenith), "progress": progress}
