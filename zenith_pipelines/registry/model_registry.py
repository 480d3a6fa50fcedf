"""The model registry: MLflow, reduced to what Zenith does with it. Models are ONNX: no pickle, nothing inferred."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from zenith_core.errors import NotAvailable
from zenith_core.names import CANDIDATE, PRODUCTION
from zenith_pipelines.registry.mlflow_client import MLflowStore, quiet_mlflow
from zenith_pipelines.registry.onnx_flavor import MODEL_FILE, save_model

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

DAGSTER_RUN = "dagster_run_id"  # the tag of a version that says which run of Dagster registered it
_LOCK_SECONDS = 120  # longer than any promotion or deletion takes


@dataclass(frozen=True)
class Version:
    """A registered model version. `uri` is what `mlflow.onnx.load_model` takes."""

    name: str
    version: int
    run_id: str
    uri: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_end(self) -> str:
        """The last session that it was trained on, ISO; empty for a version that Zenith has not made."""
        return self.tags.get("data_end", "")


class ModelRegistry(MLflowStore):
    """Versions of ONNX models behind an MLflow `tracking_uri` (`sqlite:///…`, `postgresql://…`, `http://…`).

    `artifact_root` is where artifacts go unless a server keeps them. `fence` is called before a version is made,
    an alias moved or anything recorded of a version; what it raises prevents that.
    """

    def __init__(self, tracking_uri: str, artifact_root: Path, fence: Callable[[], None] = lambda: None) -> None:
        self._tracking_uri = tracking_uri
        self._artifact_root = artifact_root
        self._fence = fence
        quiet_mlflow()

    def register(
        self,
        name: str,
        onnx: bytes,
        *,
        metrics: Mapping[str, float],
        params: Mapping[str, str],
        tags: Mapping[str, str],
        files: Mapping[str, bytes] | None = None,
    ) -> Version:
        """Add a version of model `name`, with an MLflow run that holds its metrics, params, tags and `files`.

        It becomes the Candidate. A failure leaves a run with the status FAILED, and no version.
        """
        self._fence()
        client = self._client
        run_id = client.create_run(self._experiment_id, tags=dict(tags), run_name=name).info.run_id
        try:
            _log(client, run_id, metrics, params)
            self._log_files(run_id, files or {})
            logged = self._log_model(name, onnx, run_id, tags)
            self._fence()
            self._ensure_registered(name)
            # By its place: MLflow would look up `models:/<id>` in the process-wide store.
            source, model_id = logged.artifact_location, logged.model_id
            created = client.create_model_version(
                name, source, run_id, dict(tags), await_creation_for=0, model_id=model_id
            )
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id)
        self._make_candidate(name, int(created.version))
        return _version(created)

    def made_by(self, name: str, dagster_run_ids: Collection[str]) -> Version | None:
        """The newest version that one of these runs of Dagster registered, or None."""
        return next(
            (version for version in self.versions(name) if version.tags.get(DAGSTER_RUN) in dagster_run_ids), None
        )

    def adopt(self, version: Version) -> Version:
        """Finish for a process that was killed when it had made the version: its run ends, it is the Candidate."""
        self._fence()
        self._client.set_terminated(version.run_id)
        self._make_candidate(version.name, version.version)
        return version

    def production(self, name: str) -> Version | None:
        """The version in Production, or None."""
        return self._aliased(name, PRODUCTION)

    def require_production(self, name: str) -> Version:
        """The version in Production. Raises NotAvailable."""
        version = self.production(name)
        if version is None:
            ticker = name.partition("-")[2]
            raise NotAvailable(f"no {name} in Production yet: `zenith run --tickers {ticker}` makes it")
        return version

    def promote(self, name: str, version: int) -> None:
        """Put a version into Production; the one that was there stays registered. Raises NotAvailable.

        Nothing is judged and nothing recorded: that is `zenith_pipelines.production.promotion`.
        """
        self._require(name, version)
        self._fence()
        self._set_alias(name, PRODUCTION, version)

    def load(self, name: str, version: int) -> bytes:
        """The ONNX model of a version. Raises NotAvailable; what MLflow raises if the file is gone."""
        return self._download(f"{self._require(name, version).source}/{MODEL_FILE}")

    def file(self, name: str, version: int, path: str) -> bytes:
        """A file of the version's run. Raises NotAvailable; what MLflow raises if there is no such file."""
        return self._download(f"runs:/{self._require(name, version).run_id}/{path}")

    def lock(self, name: str) -> "BaseFileLock":
        """Held by whoever moves an alias of a model or deletes a version of it, one process of this machine at a time.

        Other machines have locks of their own: `zenith_pipelines.production.promotion` says what happens then.
        """
        from filelock import FileLock

        folder = self._artifact_root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock", timeout=_LOCK_SECONDS)

    def version(self, name: str, version: int) -> Version:
        """A version. Raises NotAvailable."""
        return _version(self._require(name, version))

    def names(self) -> list[str]:
        """The names of all models, in order."""
        found: list[str] = []
        token = None
        while token != "":
            page = self._client.search_registered_models(page_token=token)
            found += [model.name for model in page]
            token = page.token or ""
        return sorted(found)

    def aliases(self, name: str) -> dict[str, int]:
        """Version by alias; empty for a model that does not exist."""
        found = self._client.search_registered_models(f"name = '{name}'")
        return {alias: int(version) for model in found for alias, version in model.aliases.items()}

    def versions(self, name: str) -> list[Version]:
        """All versions of a model, newest first."""
        found = self._client.search_model_versions(f"name = '{name}'")
        return sorted((_version(version) for version in found), key=lambda version: -version.version)

    def log_metrics(self, name: str, version: int, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Add metrics and tags to the run of a version, in place of those of the same names. Raises NotAvailable."""
        self._fence()
        run_id = str(self._require(name, version).run_id)
        for key, value in tags.items():
            self._client.set_tag(run_id, key, value)
        _log(self._client, run_id, metrics, {})

    def log_files(self, name: str, version: int, files: Mapping[str, bytes]) -> None:
        """Add files to the run of a version, in place of those of the same paths. Raises NotAvailable."""
        self._log_files(str(self._require(name, version).run_id), files)

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Put tags on a version (not on its run), in place of those of the same names."""
        self._fence()
        for key, value in tags.items():
            self._client.set_model_version_tag(name, str(version), key, value)

    def metrics(self, name: str, version: int) -> Mapping[str, float]:
        """The metrics of a version's run. Raises NotAvailable."""
        metrics: Mapping[str, float] = self._client.get_run(str(self._require(name, version).run_id)).data.metrics
        return metrics

    def metrics_of_runs(self, tag: str, value: str) -> list[Mapping[str, float]]:
        """The metrics of each run that carries a tag with this value, runs that somebody deleted included."""
        return [run.data.metrics for run in self._runs(f"tags.{tag} = '{value}'")]

    def tags_of_runs(self, name: str) -> list[Mapping[str, str]]:
        """The tags of each run that trained a model `name`, whether or not its version is still there."""
        return [run.data.tags for run in self._runs(f"attributes.run_name = '{name}'")]

    def _aliased(self, name: str, alias: str) -> Version | None:
        from mlflow.exceptions import MlflowException

        try:
            return _version(self._client.get_model_version_by_alias(name, alias))
        except MlflowException as error:
            # A model with no such alias is an INVALID_PARAMETER_VALUE to MLflow.
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def _make_candidate(self, name: str, version: int) -> None:
        """Unless another process has registered a newer one meanwhile."""
        with self.lock(name):
            newest = self._aliased(name, CANDIDATE)
            if newest is None or newest.version < version:
                self._set_alias(name, CANDIDATE, version)

    def _set_alias(self, name: str, alias: str, version: int) -> None:
        """Set an alias, and once more if that failed.

        MLflow looks for its row and makes it in two steps: of two machines that set it for the first time at once, one
        fails. Then the row is there.
        """
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_registered_model_alias(name, alias, str(version))
        except MlflowException:
            self._client.set_registered_model_alias(name, alias, str(version))

    def _log_files(self, run_id: str, files: Mapping[str, bytes]) -> None:
        with TemporaryDirectory() as folder:
            for name, content in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if files:
                self._client.log_artifacts(run_id, folder)

    def _log_model(self, name: str, onnx: bytes, run_id: str, tags: Mapping[str, str]) -> "LoggedModel":
        """Store the model in MLflow's ONNX flavor. The logged model's name may not hold the dot of PETR4.SA."""
        from mlflow.models import Model

        logged = self._client.create_logged_model(
            self._experiment_id, name.replace(".", "_"), source_run_id=run_id, tags=dict(tags), model_type="onnx"
        )
        described = Model(
            artifact_path=logged.artifact_location,
            model_uuid=logged.model_id,
            run_id=run_id,
            model_id=logged.model_id,
        )
        with TemporaryDirectory() as folder:
            save_model(onnx, Path(folder, "model"), described)
            self._client.log_model_artifacts(logged.model_id, str(Path(folder, "model")))
        return self._client.finalize_logged_model(logged.model_id, "READY")

    def _ensure_registered(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _require(self, name: str, version: int) -> "ModelVersion":
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version(name, str(version))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise NotAvailable(f"{name} has no version {version}") from None


def _log(client: "MlflowClient", run_id: str, metrics: Mapping[str, float], params: Mapping[str, str]) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
        params=[Param(key, str(value)) for key, value in params.items()],
    )


def _version(found: "ModelVersion") -> Version:
    return Version(
        name=found.name,
        version=int(found.version),
        run_id=str(found.run_id),
        uri=f"models:/{found.name}/{found.version}",
        tags=dict(found.tags),
    )
