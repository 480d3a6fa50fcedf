"""Size and deletion of model versions, logged models and run artifacts.

A run is never deleted: its metrics are the trials of the deflated Sharpe ratio, and its tags are the decision history
(docs/decisions/0010, 0018). Its artifacts are deleted, a tag records that, and `old_runs` deletes its other rows.
"""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from zenith_pipelines.registry.model_registry import ModelRegistry

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

ARTIFACTS_REMOVED = "artifacts_removed"  # tag of a run whose artifacts clean-up has deleted
_OURS = "tags.kind LIKE '%'"  # the runs that have it: not those that clean-up has condensed
_LOGGED_MODEL = re.compile(r"/(m-[0-9a-f]{32})/")  # in a version's source; MLflow's search of versions has no model_id
GRACE_SECONDS = 3600.0  # longer than any registration takes


class ModelStorage:
    """The versions, logged models and runs that Zenith created in a registry, and their sizes."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._client = registry.client

    def versions(self) -> "list[ModelVersion]":
        """Return all versions of all models."""
        return [version for name in self._registry.names() for version in self.versions_of(name)]

    def versions_of(self, name: str) -> "list[ModelVersion]":
        """Return all versions of a model."""
        versions = self._client.search_model_versions(f"name = '{name}'")
        return [version for version in versions if "kind" in version.tags]

    def abandoned_models(self) -> "list[LoggedModel]":
        """Return logged models without a version that are too old to be in registration."""
        sources = {version.source for version in self.versions()}
        return [
            model
            for model in self._pages(self._client.search_logged_models)
            if "kind" in model.tags and model.artifact_location not in sources and is_old(model.creation_timestamp)
        ]

    def abandoned_runs(self) -> "list[Run]":
        """Return runs without a version that may still have artifacts and are too old to be in progress."""
        from mlflow.entities import ViewType

        run_ids = {version.run_id for version in self.versions()}
        return [
            run
            for run in self._pages(partial(self._client.search_runs, filter_string=_OURS, run_view_type=ViewType.ALL))
            if "kind" in run.data.tags
            and ARTIFACTS_REMOVED not in run.data.tags
            and run.info.run_id not in run_ids
            and is_old(run.info.start_time)
        ]

    def _pages(self, search: Callable[..., Any]) -> Iterator[Any]:
        token = None
        while token != "":
            page = search([self._registry.experiment_id], page_token=token)
            yield from page
            token = page.token or ""

    def has_model_file(self, version: "ModelVersion") -> bool:
        """True if there are files at the version's model location."""
        return bool(self._registry.artifacts(str(version.source)).list_artifacts())

    def size(self, location: str | None) -> int:
        """Return the bytes of all artifacts at a location."""
        return sum(_sizes(self._registry.artifacts(location), None)) if location else 0

    def remove(self, location: str | None) -> int:
        """Delete all artifacts at a location; return their bytes."""
        size = self.size(location)
        if location and size:
            self._registry.artifacts(location).delete_artifacts()  # type: ignore[no-untyped-call]
        return size

    def remove_run_artifacts(self, run_id: str) -> int:
        """Delete a run's artifacts and tag it so; end it if its process was killed. Return their bytes."""
        run = self._client.get_run(run_id)
        size = self.remove(run.info.artifact_uri)
        if run.info.lifecycle_stage == "active":
            self._client.set_tag(run_id, ARTIFACTS_REMOVED, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            if run.info.status == "RUNNING":
                self._client.set_terminated(run_id, "KILLED")
        return size

    def remove_model(self, model: "LoggedModel") -> int:
        """Delete a logged model and its artifacts; return their bytes."""
        size = self.remove(model.artifact_location)
        self._client.delete_logged_model(model.model_id)
        return size

    def remove_version(self, version: "ModelVersion") -> int:
        """Delete a version, then its model and its run's artifacts; return their bytes.

        In this order: after the first step it cannot be promoted, and the next clean-up finds the rest of a killed one.
        """
        self._client.delete_model_version(version.name, version.version)
        size = self.remove(version.source)
        if model := _LOGGED_MODEL.search(str(version.source)):
            self._client.delete_logged_model(model[1])
        return size + self.remove_run_artifacts(str(version.run_id))

    def size_of_version(self, version: "ModelVersion") -> int:
        """Return the bytes that `remove_version` would free."""
        return self.size(version.source) + self.size(self._client.get_run(str(version.run_id)).info.artifact_uri)


def _sizes(repository: "ArtifactRepository", folder: str | None) -> Iterator[int]:
    for entry in repository.list_artifacts(folder):
        if entry.is_dir:
            yield from _sizes(repository, entry.path)
        else:
            yield int(entry.file_size or 0)


def is_old(milliseconds: int | None) -> bool:
    """True if a time, in milliseconds since 1970, is more than GRACE_SECONDS ago."""
    return milliseconds is not None and time.time() - milliseconds / 1000 > GRACE_SECONDS
