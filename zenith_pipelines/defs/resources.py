"""What assets need from outside: the dataset store, the registry, progress.

Resources read the settings when a run asks for them, never at import. Tests and the command line
swap a resource by giving another object, not by a flag.
"""

from functools import cached_property
from typing import Any

import dagster as dg

from zenith_core.errors import RemovedTicker
from zenith_pipelines.progress import Progress
from zenith_pipelines.registry import ModelRegistry
from zenith_pipelines.settings import Settings
from zenith_pipelines.store import Dataset, DatasetStore
from zenith_pipelines.tickers import SERVED, require_ticker

KEEP_HISTORY = "zenith/keep_history"  # definition metadata of an asset whose old snapshots stay


class ZenithResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The settings and what is opened from them."""

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
        return ModelRegistry(self.settings.tracking_uri, self.settings.artifact_root)


class DatasetIOManager(dg.ConfigurableIOManager):
    """Datasets in and out of the store. It owns the paths: an asset never builds a file name."""

    zenith: ZenithResource

    def handle_output(self, context: dg.OutputContext, obj: Dataset) -> None:
        """Store the asset's dataset for the run's ticker."""
        keep = bool((context.definition_metadata or {}).get(KEEP_HISTORY))
        ticker = require_ticker(context.step_context.instance, context.partition_key)
        self.zenith.store.write(_name(context), ticker, obj, keep_history=keep)
        if _name(context) == SERVED:
            self._serve_no_removed(context.step_context.instance, ticker)

    def load_input(self, context: dg.InputContext) -> Dataset:
        """The current dataset of an upstream asset for the run's ticker."""
        ticker = require_ticker(context.instance, context.partition_key)
        return self.zenith.store.read(_name(context), ticker)

    def _serve_no_removed(self, instance: dg.DagsterInstance, ticker: str) -> None:
        """Take out what was just stored, if the ticker was removed in between."""
        try:
            require_ticker(instance, ticker)
        except RemovedTicker:
            self.zenith.store.withdraw(SERVED, ticker)
            raise


def _name(context: dg.InputContext | dg.OutputContext) -> str:
    return str(context.asset_key.path[-1])


def resources(progress: Progress) -> dict[str, Any]:
    """The resources of the code location."""
    zenith = ZenithResource()
    return {"zenith": zenith, "io_manager": DatasetIOManager(zenith=zenith), "progress": progress}
