"""Artifact locations of a home, relative to its MLflow database, so that a home can be copied, moved and restored.

MLflow stores the location of each experiment, run and model. An absolute path would lead a copy of the home into the
original. In a home the locations are `mlflow-artifacts:/…`, the scheme of MLflow's own server, and the folder
`artifacts` beside the database is their root. An MLflow server with that folder as its artifacts destination reads the
same database (docs/decisions/0044).
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from zenith_core.errors import StorageUnavailable

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

EXPERIMENT = "zenith"  # of all runs
ROOT = "mlflow-artifacts:/"
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_WAIT_SECONDS = 60  # for a lock of the database
_LOCAL = "(artifact_location LIKE 'file:%' OR artifact_location LIKE '/%')"
_LOCATIONS = "SELECT artifact_location FROM experiments"
_OURS = f"{_LOCATIONS} WHERE name = '{EXPERIMENT}' AND {_LOCAL}"
# MLflow creates the experiment Default with a location in the current folder.
_DEFAULT = f"experiment_id = 0 AND {_LOCAL} AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.experiment_id = 0)"


def database_file(tracking_uri: str) -> Path | None:
    """Return the file of an SQLite store, or None for another store."""
    scheme, _, path = tracking_uri.partition(":///")
    return Path(path.partition("?")[0]) if scheme == "sqlite" else None


def is_in_home(tracking_uri: str, artifact_root: Path) -> bool:
    """Return True for an SQLite database beside its artifacts, as in a home."""
    database = database_file(tracking_uri)
    return database is not None and database.parent / "artifacts" == artifact_root


def artifact_repository(location: str, tracking_uri: str) -> "ArtifactRepository":
    """Return MLflow's access to the artifacts at a location of the store."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    database = database_file(tracking_uri)
    if database is None or not location.startswith(ROOT):
        return get_artifact_repository(location, tracking_uri=tracking_uri)
    return LocalArtifactRepository((database.absolute().parent / "artifacts" / _relative(location)).as_uri())


def open_repository(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> "ArtifactRepository":
    """Open `mlflow-artifacts:` for MLflow's own tools; pyproject.toml registers this function with MLflow."""
    from mlflow import get_tracking_uri
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    store = tracking_uri or get_tracking_uri()
    if database_file(store) is not None:
        return artifact_repository(artifact_uri, store)
    return MlflowArtifactsRepository(artifact_uri, store, registry_uri)


def make_relative(tracking_uri: str, artifact_root: Path, wait_seconds: float = _WAIT_SECONDS) -> None:
    """Make the locations of a home's store relative, all in one transaction, unless they are. Ignore other stores.

    An older home that was copied may have left newer files in the original: they are copied here first. The original is
    only read. Raises StorageUnavailable and changes nothing if the home cannot be written.
    """
    database = database_file(tracking_uri)
    if database is None or not is_in_home(tracking_uri, artifact_root) or not database.exists():
        return
    try:
        if _is_absolute(database, wait_seconds):
            _make_relative(database, wait_seconds)
    except (sqlite3.Error, OSError) as error:
        raise StorageUnavailable(f"the artifact locations in {database} cannot be made relative: {error}") from error


def make_relative_to_read(tracking_uri: str, artifact_root: Path) -> None:
    """Make the locations relative for a reader: a home that is read-only or locked is read as it is."""
    with suppress(StorageUnavailable):
        make_relative(tracking_uri, artifact_root, wait_seconds=2)


def locations_outside(tracking_uri: str) -> list[str]:
    """Return the locations of a home's store that are local paths outside the artifacts beside its database."""
    database = database_file(tracking_uri)
    if database is None or not database.exists():
        return []
    folder = database.parent / "artifacts"
    with closing(_connect(database)) as connection:
        locations = {location for table, column in _COLUMNS for location in _values(connection, table, column)}
        locations -= {str(row[0]) for row in connection.execute(f"{_LOCATIONS} WHERE {_DEFAULT}")}
    paths = {location: _local_path(location) for location in locations}
    return sorted(location for location, path in paths.items() if path and not path.is_relative_to(folder))


def _make_relative(database: Path, wait_seconds: float) -> None:
    with closing(_connect(database, wait_seconds)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if roots := connection.execute(_OURS).fetchone():
            root = str(roots[0]).rstrip("/")
            _copy_missing(connection, root, database.parent / "artifacts")
            for table, column in _COLUMNS:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || ltrim(substr({column}, ?), '/')"
                    f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (ROOT, len(root) + 1, root, len(root) + 1, f"{root}/"),
                )
        connection.execute(f"UPDATE experiments SET artifact_location = '{ROOT}0' WHERE {_DEFAULT}")
        connection.execute("COMMIT")


def _is_absolute(database: Path, wait_seconds: float) -> bool:
    """Return True if the experiment of Zenith, or MLflow's unused Default, has an absolute location."""
    try:
        with closing(_connect(database, wait_seconds)) as connection:
            return connection.execute(f"{_OURS} UNION {_LOCATIONS} WHERE {_DEFAULT}").fetchone() is not None
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # MLflow has not created its tables yet
            return False
        raise


def _copy_missing(connection: sqlite3.Connection, root: str, folder: Path) -> None:
    """Copy each artifact folder below `root` that is missing below `folder`."""
    for table, column in _COLUMNS:
        for location in _values(connection, table, column):
            source, target = _local_path(location), folder / location.removeprefix(root).lstrip("/")
            if location.startswith(f"{root}/") and source and source.exists() and not target.exists():
                partial = target.with_name(f".{target.name}.unfinished")
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(source, partial)
                partial.rename(target)


def _values(connection: sqlite3.Connection, table: str, column: str) -> Iterator[str]:
    for (location,) in connection.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"):
        yield str(location)


def _local_path(location: str) -> Path | None:
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def _relative(location: str) -> str:
    """Return the path of a location below the artifacts. Raises ValueError if it leaves them."""
    path = unquote(urlsplit(location).path).lstrip("/")
    if ".." in Path(path).parts:
        raise ValueError(f"{location} leads out of the artifacts")
    return path


def _connect(database: Path, wait_seconds: float = 2) -> sqlite3.Connection:
    """Open a database that exists. A reader, too, must undo the transaction of a process that was killed in it."""
    address = f"{database.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=wait_seconds, isolation_level=None)
