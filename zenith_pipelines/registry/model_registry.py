"""Register, alias and read model versions in MLflow. Models are ONNX: no pickle, no inferred signature."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from zenith_core.errors import NotAvailable
from zenith_core.model_kinds.options import DEFAULT_WINDOW
from zenith_core.names import CANDIDATE, EARLIER_HORIZON, PRODUCTION, PROVENANCE, unpacked
from zenith_pipelines.registry.mlflow_client import MLflowStore, quiet_mlflow
from zenith_pipelines.registry.onnx_flavor import MODEL_FILE, save_model

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

DAGSTER_RUN = "dagster_run_id"  # in the provenance of a version: the Dagster run that registered it
_LOCK_SECONDS = 120  # longer than any promotion or deletion takes


@dataclass(frozen=True)
class Version:
    """A registered model version.

    uri:   for `mlflow.onnx.load_model`
    tags:  with those of its provenance
    """

    name: str
    version: int
    run_id: str
    uri: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_end(self) -> str:
        """The last session of its training data, ISO; empty for a version registered outside Zenith."""
        return self.tags.get("data_end", "")

    @property
    def horizon(self) -> int:
        """The horizon of its signals, or at which its forecasts are scored first; earlier releases had one."""
        return int(self.tags.get("horizon", EARLIER_HORIZON))

    @property
    def window(self) -> int:
        """The sessions of its input; earlier releases had one window."""
        return int(self.tags.get("window", DEFAULT_WINDOW))


class ModelRegistry(MLflowStore):
    """Versions of ONNX models behind an MLflow `tracking_uri` (`sqlite:///…`, `postgresql://…`, `http://…`).

    artifact_root:  folder for artifacts, unless an MLflow server stores them
    fence:          called before a version is created, an alias moved or anything recorded; if it raises, nothing
                    is written
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
        provenance: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
        description: str | None = None,
    ) -> Version:
        """Create a version of model `name` and make it the Candidate.

        An MLflow run holds its metrics, params, tags and `files`. A failure leaves a FAILED run and no version.

        provenance:   facts for programs, which together are one tag of version and run
        description:  of the version, markdown
        """
        self._fence()
        if provenance:
            tags = {**tags, PROVENANCE: json.dumps(provenance)}
        client = self._client
        run_id = client.create_run(self._experiment_id, tags=dict(tags), run_name=name).info.run_id
        try:
            _log(client, run_id, metrics, params)
            self._log_files(run_id, files or {})
            logged_model = self._log_model(name, onnx, run_id, tags)
            self._fence()
            self._ensure_registered(name)
            # The location, because MLflow would look up `models:/<id>` in the process-wide store.
            source, model_id = logged_model.artifact_location, logged_model.model_id
            model_version = client.create_model_version(
                name, source, run_id, dict(tags), description=description, await_creation_for=0, model_id=model_id
            )
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id)
        self._make_candidate(name, int(model_version.version))
        return _version(model_version)

    def version_of_run(self, name: str, dagster_run_ids: Collection[str]) -> Version | None:
        """Return the newest version that one of these Dagster runs registered, or None."""
        return next(
            (version for version in self.versions(name) if version.tags.get(DAGSTER_RUN) in dagster_run_ids), None
        )

    def finish_registration(self, version: Version) -> Version:
        """Complete a registration whose process was killed: end the MLflow run, make the version the Candidate."""
        self._fence()
        self._client.set_terminated(version.run_id)
        self._make_candidate(version.name, version.version)
        return version

    def production(self, name: str) -> Version | None:
        """Return the version in Production, or None."""
        return self._aliased(name, PRODUCTION)

    def require_production(self, name: str) -> Version:
        """Return the version in Production. Raises NotAvailable."""
        version = self.production(name)
        if version is None:
            ticker = name.partition("-")[2]
            raise NotAvailable(f"no {name} in Production yet: `zenith run --tickers {ticker}` makes it")
        return version

    def promote(self, name: str, version: int) -> None:
        """Put a version into Production; the previous one stays registered. Raises NotAvailable.

        No gates and no record: see `zenith_pipelines.production.promotion`.
        """
        self._require(name, version)
        self._fence()
        self._set_alias(name, PRODUCTION, version)

    def load(self, name: str, version: int) -> bytes:
        """Return a version's ONNX model. Raises NotAvailable, or an error of MLflow if the file is gone."""
        return self._download(str(self._require(name, version).source), MODEL_FILE)

    def file(self, name: str, version: int, path: str) -> bytes:
        """Return a file of a version's run. Raises NotAvailable, or an error of MLflow if there is no such file."""
        return self._download(self._run_artifacts(str(self._require(name, version).run_id)), path)

    def lock(self, name: str) -> "BaseFileLock":
        """Return the lock to hold while moving a model's alias or deleting one of its versions.

        It excludes other processes of this machine only. For other machines see
        `zenith_pipelines.production.promotion`.
        """
        from filelock import FileLock

        folder = self._artifact_root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock", timeout=_LOCK_SECONDS)

    def version(self, name: str, version: int) -> Version:
        """Return a version. Raises NotAvailable."""
        return _version(self._require(name, version))

    def rename(self, name: str, new_name: str, ticker: str, trial_tag: str) -> None:
        """Rename a model with its versions, aliases and tags, and the runs behind it. Can be repeated after a kill.

        ticker:     replaces that of the versions' lineage
        trial_tag:  tag of runs that names the model
        """
        self._fence()
        client = self._client
        with self.lock(name):
            for run in list(self._runs(f"attributes.run_name = '{name}'")):
                client.update_run(run.info.run_id, name=new_name)
            for run in list(self._runs(f"tags.{trial_tag} = '{name}'")):
                client.set_tag(run.info.run_id, trial_tag, new_name)
            if client.search_registered_models(f"name = '{name}'"):
                client.rename_registered_model(name, new_name)
            for version in self.versions(new_name):
                if version.tags.get("ticker", ticker) != ticker:
                    self.tag(new_name, version.version, {"ticker": ticker})

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        names: list[str] = []
        token = None
        while token != "":
            page = self._client.search_registered_models(page_token=token)
            names += [model.name for model in page]
            token = page.token or ""
        return sorted(names)

    def aliases(self, name: str) -> dict[str, int]:
        """Return version by alias; empty if the model does not exist."""
        models = self._client.search_registered_models(f"name = '{name}'")
        return {alias: int(version) for model in models for alias, version in model.aliases.items()}

    def versions(self, name: str) -> list[Version]:
        """Return all versions of a model, newest first."""
        versions = self._client.search_model_versions(f"name = '{name}'")
        return sorted((_version(version) for version in versions), key=lambda version: -version.version)

    def decided_since(self, moment: str) -> list[Version]:
        """Return the versions of all models whose last decision was after a moment (UTC, ISO), of the last 31 days."""
        today, first = datetime.now(UTC).date(), date.fromisoformat(moment[:10])
        days = [
            today + timedelta(days=1) - timedelta(days=back) for back in range(min((today - first).days + 1, 31) + 1)
        ]
        return [
            _version(version)
            for day in days
            for version in self._search_versions(f"tags.decided_at LIKE '{day}%'")
            if version.tags["decided_at"] > moment
        ]

    def _search_versions(self, query: str) -> Iterator["ModelVersion"]:
        token = None
        while token != "":
            page = self._client.search_model_versions(query, page_token=token)
            yield from page
            token = page.token or ""

    def log_metrics(self, name: str, version: int, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Add or replace metrics and tags of a version's run. Raises NotAvailable."""
        self._fence()
        run_id = str(self._require(name, version).run_id)
        for key, value in tags.items():
            self._client.set_tag(run_id, key, value)
        _log(self._client, run_id, metrics, {})

    def log_files(self, name: str, version: int, files: Mapping[str, bytes]) -> None:
        """Add or replace files of a version's run. Raises NotAvailable."""
        self._log_files(str(self._require(name, version).run_id), files)

    def add_to_description(self, name: str, version: int, line: str) -> None:
        """Add a paragraph of markdown to a version's description, unless it is there. Raises NotAvailable."""
        self._require(name, version)
        self._fence()
        before = self._client.get_model_version(name, str(version)).description or ""
        if line not in before:
            self._client.update_model_version(name, str(version), f"{before}\n\n{line}".strip())

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Add or replace tags of a version (not of its run)."""
        self._fence()
        for key, value in tags.items():
            self._client.set_model_version_tag(name, str(version), key, value)

    def describe(self, name: str, version: int, text: str) -> None:
        """Set the description of a version, markdown that MLflow shows. Its lines of links stay, at the end."""
        self._fence()
        before = self._client.get_model_version(name, str(version)).description or ""
        links = [line for line in before.splitlines() if line.startswith("[")]
        self._client.update_model_version(name, str(version), "\n\n".join([text, *links]))

    def metrics(self, name: str, version: int) -> Mapping[str, float]:
        """Return the metrics of a version's run. Raises NotAvailable."""
        metrics: Mapping[str, float] = self._client.get_run(str(self._require(name, version).run_id)).data.metrics
        return metrics

    def metrics_of_runs(self, tag: str, value: str) -> list[Mapping[str, float]]:
        """Return the metrics of each run with this tag value, deleted runs included."""
        return [run.data.metrics for run in self._runs(f"tags.{tag} = '{value}'")]

    def tags_of_runs(self, name: str) -> list[Mapping[str, str]]:
        """Return the tags of each run that trained model `name`, also of runs whose version was deleted."""
        return [unpacked(run.data.tags) for run in self._runs(f"attributes.run_name = '{name}'")]

    def _aliased(self, name: str, alias: str) -> Version | None:
        from mlflow.exceptions import MlflowException

        try:
            return _version(self._client.get_model_version_by_alias(name, alias))
        except MlflowException as error:
            # MLflow reports a missing alias as INVALID_PARAMETER_VALUE.
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def _make_candidate(self, name: str, version: int) -> None:
        """Make the version the Candidate, unless another process has just registered a newer one."""
        with self.lock(name):
            newest = self._aliased(name, CANDIDATE)
            if newest is None or newest.version < version:
                self._set_alias(name, CANDIDATE, version)

    def _set_alias(self, name: str, alias: str, version: int) -> None:
        """Set an alias; retry once on failure.

        MLflow reads and inserts the row in two steps. If two machines set an alias for the first time at once, one of
        them fails. For its retry the row exists.
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
                self.artifacts(self._run_artifacts(run_id)).log_artifacts(folder)  # type: ignore[no-untyped-call]

    def _run_artifacts(self, run_id: str) -> str:
        return str(self._client.get_run(run_id).info.artifact_uri)

    def _log_model(self, name: str, onnx: bytes, run_id: str, tags: Mapping[str, str]) -> "LoggedModel":
        """Store the model in MLflow's ONNX flavor. A logged model's name must not contain the dot of PETR4.SA."""
        from mlflow.models import Model

        own_tags = {key: tags[key] for key in ("kind",) if key in tags}  # MLflow keeps its row for ever
        logged_model = self._client.create_logged_model(
            self._experiment_id, name.replace(".", "_"), source_run_id=run_id, tags=own_tags, model_type="onnx"
        )
        mlflow_model = Model(
            artifact_path=logged_model.artifact_location,
            model_uuid=logged_model.model_id,
            run_id=run_id,
            model_id=logged_model.model_id,
        )
        with TemporaryDirectory() as folder:
            save_model(onnx, Path(folder, "model"), mlflow_model)
            self.artifacts(logged_model.artifact_location).log_artifacts(str(Path(folder, "model")))  # type: ignore[no-untyped-call]
        return self._client.finalize_logged_model(logged_model.model_id, "READY")

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


def _version(version: "ModelVersion") -> Version:
    return Version(
        name=version.name,
        version=int(version.version),
        run_id=str(version.run_id),
        uri=f"models:/{version.name}/{version.version}",
        tags=unpacked(version.tags),
    )
