"""Client, experiment and first-contact lock of one MLflow store.

Every call names its store. MLflow's process-wide settings are not touched, so several stores can be used side by side.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from zenith_core.errors import UserError
from zenith_pipelines.patience import is_brief, patient_lock, wait_seconds
from zenith_pipelines.registry.artifact_locations import (
    EXPERIMENT,
    ROOT,
    artifact_repository,
    database_file,
    is_in_home,
    make_relative,
)
from zenith_pipelines.registry.reachability import is_refused, requests_to, require_database, unavailable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.store.artifact.artifact_repo import ArtifactRepository


class _WatchedClient:
    """MLflow's client of which each request is watched: a server that answered once may hang at the next."""

    def __init__(self, client: "MlflowClient", uri: str) -> None:
        self._client = client
        self._uri = uri

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        return partial(self._call, value) if callable(value) else value

    def _call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with requests_to(self._uri):
            return function(*arguments, **named)


class MLflowStore:
    """Access to MLflow for the model registry and clean-up. A subclass sets the two attributes."""

    _tracking_uri: str
    _artifact_root: Path

    @property
    def tracking_uri(self) -> str:
        """Address of MLflow's runs and versions."""
        return self._tracking_uri

    @property
    def client(self) -> "MlflowClient":
        """MLflow's own client, for clean-up of runs and artifacts."""
        return self._client

    @property
    def experiment_id(self) -> str:
        """The experiment of all runs."""
        return self._experiment_id

    @property
    def exists(self) -> bool:
        """False for an SQLite file that does not exist yet; any other access would create it."""
        database = database_file(self._tracking_uri)
        return database is None or database.exists()

    def artifacts(self, location: str) -> "ArtifactRepository":
        """Return the access to the artifacts at a location.

        Not MLflow's client: it caches this access by run or model, and a copied home has the same ones.
        """
        return artifact_repository(location, self._tracking_uri)

    def _runs(self, condition: str) -> "Iterator[Run]":
        client = self._client
        from mlflow.entities import ViewType  # after the client has found that the store answers

        token = None
        while token != "":
            page = client.search_runs([self._experiment_id], condition, ViewType.ALL, page_token=token)
            yield from page
            token = page.token or ""

    def _download(self, location: str, path: str) -> bytes:
        with TemporaryDirectory() as folder, requests_to(self._tracking_uri):
            return Path(self.artifacts(location).download_artifacts(path, folder)).read_bytes()  # type: ignore[no-untyped-call]

    @cached_property
    def _client(self) -> "MlflowClient":
        if is_brief():
            require_database(self._tracking_uri)
        from mlflow import MlflowClient, MlflowException  # seconds, which an answer that never comes need not wait for

        with self._first_contact(), requests_to(self._tracking_uri):
            try:
                client = MlflowClient(self._tracking_uri, self._tracking_uri)
                # Our names are those of models. MLflow would ask before each change if the name is that of a prompt,
                # which takes longer than the change.
                client._raise_if_prompt = lambda name: None  # type: ignore[method-assign]
                client.get_experiment_by_name(EXPERIMENT)
            except Exception as error:  # of any kind, if another program answers at the address
                if is_refused(error):
                    raise UserError(
                        "the MLflow server of MLFLOW_TRACKING_URI refuses MLFLOW_TRACKING_USERNAME and "
                        "MLFLOW_TRACKING_PASSWORD: set those of one of its users"
                    ) from None
                if isinstance(error, MlflowException) or self._tracking_uri.startswith("http"):
                    raise unavailable(error) from error
                raise
            make_relative(self._tracking_uri, self._artifact_root, wait_seconds())
        is_watched = is_brief() or self._tracking_uri.startswith("http")
        return cast("MlflowClient", _WatchedClient(client, self._tracking_uri)) if is_watched else client

    @cached_property
    def _experiment_id(self) -> str:
        client = self._client  # takes the lock itself, so it must not be held yet
        with self._first_contact():
            experiment = client.get_experiment_by_name(EXPERIMENT)
            return str(experiment.experiment_id) if experiment else self._new_experiment()

    def _new_experiment(self) -> str:
        """Create the experiment, unless another machine has just created it."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.create_experiment(EXPERIMENT, artifact_location=self._artifact_location()))
        except MlflowException as error:
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                raise error
            return str(experiment.experiment_id)

    def _artifact_location(self) -> str | None:
        """Return the root of artifacts: relative in a home, else a folder, or None if an MLflow server chooses it."""
        if is_in_home(self._tracking_uri, self._artifact_root):
            return ROOT
        return None if self._tracking_uri.startswith("http") else self._artifact_root.resolve().as_uri()

    def _first_contact(self) -> AbstractContextManager[None]:
        """Let one process at a time create MLflow's tables and the experiment: MLflow's migration cannot run twice."""
        from filelock import FileLock

        self._artifact_root.mkdir(parents=True, exist_ok=True)
        return patient_lock(FileLock(self._artifact_root / ".first_contact.lock"))


def quiet_mlflow() -> None:
    """Turn off MLflow's telemetry, progress bars, table logs and URLs on stdout. Call before importing MLflow."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # logs a traceback of what it then raises
