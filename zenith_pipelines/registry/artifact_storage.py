"""What model versions take on disk, and how it is let go: logged models and the artifacts of runs, in MLflow's terms.

A run is never deleted: its metrics are the trials that a Sharpe ratio is deflated by, its tags the history of decisions
(docs/decisions/0010, 0018). Only its artifacts go, and a tag says so.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from zenith_pipelines.registry.model_registry import ModelRegistry

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

GONE = "artifacts_removed"  # the tag of a run whose artifacts clean-up has removed
GRACE_SECONDS = 3600.0  # nothing that is being registered takes as long


class ModelStorage:
    """The versions, logged models and runs of a registry, with what they take. Other people's runs are not seen."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._client = registry.client

    def versions(self) -> "list[ModelVersion]":
        """Every version of every model of ours."""
        return [version for name in self._registry.names() for version in self.of(name)]

    def of(self, name: str) -> "list[ModelVersion]":
        """Every version of a model."""
        found = self._client.search_model_versions(f"name = '{name}'")
        return [version for version in found if "kind" in version.tags]

    def abandoned_models(self) -> "list[LoggedModel]":
        """Logged models that no version points at and nobody is registering any more."""
        used = {version.source for version in self.versions()}
        return [
            model
            for model in self._pages(self._client.search_logged_models)
            if "kind" in model.tags and model.artifact_location not in used and is_old(model.creation_timestamp)
        ]

    def abandoned_runs(self) -> "list[Run]":
        """Runs that no version points at, that nobody is writing any more, and that may still have artifacts."""
        from mlflow.entities import ViewType

        used = {version.run_id for version in self.versions()}
        return [
            run
            for run in self._pages(partial(self._client.search_runs, run_view_type=ViewType.ALL))
            if "kind" in run.data.tags
            and GONE not in run.data.tags
            and run.info.run_id not in used
            and is_old(run.info.start_time)
        ]

    def _pages(self, search: Callable[..., Any]) -> Iterator[Any]:
        token = None
        while token != "":
            page = search([self._registry.experiment_id], page_token=token)
            yield from page
            token = page.token or ""

    def has_model_file(self, version: "ModelVersion") -> bool:
        """Whether there is anything where the version says that its model is."""
        return bool(self._at(str(version.source)).list_artifacts())

    def size(self, location: str | None) -> int:
        """Bytes of all artifacts at a location."""
        return sum(_sizes(self._at(location), None)) if location else 0

    def remove(self, location: str | None) -> int:
        """Remove all artifacts at a location; returns their bytes."""
        freed = self.size(location)
        if location and freed:
            self._at(location).delete_artifacts()  # type: ignore[no-untyped-call]
        return freed

    def remove_run_artifacts(self, run_id: str) -> int:
        """Remove the artifacts of a run, end it if its process was killed, and say in its tags what became of them."""
        run = self._client.get_run(run_id)
        freed = self.remove(run.info.artifact_uri)
        if run.info.lifecycle_stage == "active":
            self._client.set_tag(run_id, GONE, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            if run.info.status == "RUNNING":
                self._client.set_terminated(run_id, "KILLED")
        return freed

    def remove_model(self, model: "LoggedModel") -> int:
        """Remove a logged model and its artifacts; returns their bytes."""
        freed = self.remove(model.artifact_location)
        self._client.delete_logged_model(model.model_id)
        return freed

    def remove_version(self, version: "ModelVersion") -> int:
        """Remove a version, then its model and its run's artifacts; returns their bytes.

        In this order: from the first step on nobody can promote it, and what a killed clean-up leaves is abandoned.
        """
        self._client.delete_model_version(version.name, version.version)
        freed = self.remove(version.source)
        if version.model_id:
            self._client.delete_logged_model(version.model_id)
        return freed + self.remove_run_artifacts(str(version.run_id))

    def size_of_version(self, version: "ModelVersion") -> int:
        """What `remove_version` would free."""
        return self.size(version.source) + self.size(self._client.get_run(str(version.run_id)).info.artifact_uri)

    def _at(self, location: str) -> "ArtifactRepository":
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(location, tracking_uri=self._registry.tracking_uri)


def _sizes(repository: "ArtifactRepository", folder: str | None) -> Iterator[int]:
    for entry in repository.list_artifacts(folder):
        if entry.is_dir:
            yield from _sizes(repository, entry.path)
        else:
            yield int(entry.file_size or 0)


def is_old(milliseconds: int | None) -> bool:
    """Whether a moment, in milliseconds since 1970, is longer ago than anything takes that is still going on."""
    return milliseconds is not None and time.time() - milliseconds / 1000 > GRACE_SECONDS
