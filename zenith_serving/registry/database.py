"""The model registry in an MLflow database, read only. The tables are those of MLflow 3."""

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Generic, TypeVar

from zenith_core.evaluation.summary_metrics import METRICS
from zenith_core.names import PRODUCTION, PROVENANCE
from zenith_core.outages import describe_error
from zenith_core.statistics.performance import finite
from zenith_serving.errors import ModelUnavailable, NoRegistry, RegistryUnavailable
from zenith_serving.registry.base import (
    CHECKSUM_TAG,
    DECISION_PREFIX,
    EXPERIMENT,
    TAGS,
    TIMEOUT_SECONDS,
    KnownVersion,
    aliases_by_version,
    check_checksum,
    decisions_by_model,
    intelligible,
    listed_tags,
    name_pattern,
    production_versions,
    quoted,
    read_artifact,
)

_NAMES = "SELECT name FROM registered_models WHERE name LIKE :names AND workspace = 'default'"
_ALIASES = "SELECT name, version, alias FROM registered_model_aliases WHERE name LIKE :names AND workspace = 'default'"
_PRODUCTION = (
    f"SELECT name, version FROM registered_model_aliases WHERE alias = '{PRODUCTION}' AND workspace = 'default'"
)
_VERSIONS = (
    "SELECT name, version, creation_time FROM model_versions"
    " WHERE name LIKE :names AND workspace = 'default' AND current_stage <> 'Deleted_Internal'"
)
_TAGS = (
    "SELECT name, version, key, value FROM model_version_tags"
    f" WHERE name LIKE :names AND workspace = 'default' AND key IN {quoted(TAGS)}"
)
_METRICS = (
    "SELECT v.name, v.version, m.key, m.value, m.is_nan FROM model_versions v"
    " JOIN latest_metrics m ON m.run_uuid = v.run_id"
    f" WHERE v.name LIKE :names AND v.workspace = 'default' AND m.key IN {quoted(METRICS)}"
)
_DECISIONS = (
    "SELECT r.name, t.value FROM tags t JOIN runs r ON r.run_uuid = t.run_uuid"
    " JOIN experiments e ON e.experiment_id = r.experiment_id"
    " WHERE r.name LIKE :names AND e.name = :experiment AND t.key LIKE :keys"
)
_LOCATION = (
    "SELECT storage_location, source FROM model_versions"
    " WHERE name = :name AND version = :version AND workspace = 'default'"
)
_CHECKSUM = (
    "SELECT key, value FROM model_version_tags WHERE name = :name AND version = :version AND workspace = 'default'"
    f" AND key IN {quoted((CHECKSUM_TAG, PROVENANCE))}"
)

_DATABASE = "MLflow database"
_RELATIVE = "mlflow-artifacts:/"  # to the folder `artifacts` beside an SQLite database

_Stamp = tuple[bytes, int, int]  # change counter, inode and time of an SQLite file

Value = TypeVar("Value")

_logger = logging.getLogger(__name__)


class _LastLook(Generic[Value]):
    """The value that was read last, and the stamp of the file at that time."""

    def __init__(self) -> None:
        self._look: tuple[_Stamp, Value] | None = None

    def value(self, stamp: _Stamp | None, read: Callable[[], Value]) -> Value:
        """Return the value of the last look if the stamp is the same, else read it; always without a stamp."""
        look = self._look
        if look and stamp == look[0]:
            return look[1]
        value = read()
        self._look = (stamp, value) if stamp else None
        return value


class DatabaseRegistry:
    """The ModelRegistry in an MLflow database. Its lists are empty if there is no database yet."""

    def __init__(self, url: str) -> None:
        self._url = url
        scheme, _, path = url.partition(":///")
        self._file = Path(path.partition("?")[0]) if scheme.partition("+")[0] == "sqlite" else None
        self._production = _LastLook[dict[str, int]]()
        self._names = _LastLook[list[str]]()

    @intelligible(_DATABASE)
    def production(self) -> dict[str, int]:
        """Return the Production version of each model name. An SQLite file without a new commit is not read again.

        Raises NoRegistry if there is no database yet, because models may be served from copies of an earlier one.
        """
        versions = self._production.value(self._stamp(), self._read_production)
        if not versions and self._file and not self._file.exists():
            raise NoRegistry("there is no MLflow database yet")
        return versions

    @intelligible(_DATABASE)
    def fetch(self, name: str, version: int) -> bytes:
        """Return a version's ONNX file."""
        locations = self._rows(_LOCATION, name=name, version=version)
        if not locations:
            raise ModelUnavailable("the registry has no such model version")
        tags = dict(self._rows(_CHECKSUM, name=name, version=version))
        storage_location, source = locations[0]
        content = read_artifact(self._in_home(storage_location or source))
        return check_checksum(content, tags)

    @intelligible(_DATABASE)
    def names(self, ticker: str | None = None) -> list[str]:
        """Return the names of all models, or of a ticker's. All are not read again without a new commit."""
        if ticker is not None:
            return self._names_like(name_pattern(ticker))
        return list(self._names.value(self._stamp(), lambda: self._names_like(name_pattern(None))))

    @intelligible(_DATABASE)
    def versions(self, ticker: str | None = None, names: Sequence[str] | None = None) -> list[KnownVersion]:
        """Return the versions of all models, of a ticker's, or of the models of these names."""
        which = name_pattern(ticker) if names is None else names
        aliases = aliases_by_version((name, int(version), alias) for name, version, alias in self._of(_ALIASES, which))
        tags = defaultdict[tuple[str, int], dict[str, str]](dict)
        for name, version, key, value in self._of(_TAGS, which):
            tags[name, version][key] = value
        metrics = defaultdict[tuple[str, int], dict[str, float | None]](dict)
        for name, version, key, value, is_nan in self._of(_METRICS, which):
            metrics[name, version][key] = None if is_nan else finite(value)
        return [
            KnownVersion(
                name,
                version,
                created_ms,
                frozenset(aliases.get((name, version), ())),
                listed_tags(tags.get((name, version), {})),
                metrics.get((name, version), {}),
            )
            for name, version, created_ms in self._of(_VERSIONS, which)
        ]

    @intelligible(_DATABASE)
    def decisions(self, ticker: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """Return the records of all decisions by model, of all models or of a ticker's."""
        names, keys = name_pattern(ticker), f"{DECISION_PREFIX}%"
        return decisions_by_model(self._rows(_DECISIONS, names=names, experiment=EXPERIMENT, keys=keys))

    def _read_production(self) -> dict[str, int]:
        return production_versions((name, int(version), PRODUCTION) for name, version in self._rows(_PRODUCTION))

    def _names_like(self, pattern: str) -> list[str]:
        return [name for (name,) in self._rows(_NAMES, names=pattern)]

    def _stamp(self) -> "_Stamp | None":
        """Return a stamp of an SQLite file that changes with each commit; None for another database.

        SQLite adds to the number at byte 24 of its file, but not with a write-ahead log, which MLflow does not use.
        """
        file = self._file
        try:
            if file is None or file.with_name(f"{file.name}-wal").exists():
                return None
            stat = file.stat()
            with file.open("rb") as database:
                return database.read(28)[24:], stat.st_ino, stat.st_mtime_ns
        except OSError:
            return None

    def _in_home(self, location: str) -> str:
        """Return the folder of a location that is relative to its database, as in a home (docs/decisions/0044)."""
        if self._file is None or not location.startswith(_RELATIVE):
            return location
        return str(self._file.parent / "artifacts" / location.removeprefix(_RELATIVE))

    def _of(self, query: str, names: str | Sequence[str]) -> list[Any]:
        """Return the rows of models by a pattern of names, or by the names themselves."""
        if isinstance(names, str):
            return self._rows(query, names=names)
        return self._rows(query.replace("LIKE :names", "IN :names"), names=list(names))

    def _rows(self, query: str, **values: str | int | list[str]) -> list[Any]:
        """Return the rows of a query; a list fills an IN. Raises RegistryUnavailable."""
        if self._file:
            return self._rows_of_file(self._file, query, values)
        from sqlalchemy import NullPool, bindparam, create_engine, text
        from sqlalchemy.exc import SQLAlchemyError

        lists: list[Any] = [bindparam(key, expanding=True) for key, value in values.items() if isinstance(value, list)]
        limit = {"connect_timeout": int(TIMEOUT_SECONDS)}
        try:
            with create_engine(self._url, poolclass=NullPool, connect_args=limit).connect() as connection:
                return list(connection.execute(text(query).bindparams(*lists), values).all())
        except SQLAlchemyError as error:
            _logger.debug("MLflow database: %r", error)
            raise RegistryUnavailable("the MLflow database cannot be read") from None

    def _rows_of_file(self, file: Path, query: str, values: Mapping[str, str | int | list[str]]) -> list[Any]:
        """Read an SQLite file without SQLAlchemy, whose import takes longer than all rows of a start."""
        single: dict[str, str | int] = {}
        for key, value in values.items():
            if isinstance(value, list):
                each = {f"{key}_{number}": one for number, one in enumerate(value)}
                query = query.replace(f":{key}", f"({', '.join(f':{name}' for name in each)})")
                single |= each
            else:
                single[key] = value
        try:
            with closing(_open_sqlite(file)) as connection:
                return connection.execute(query, single).fetchall()
        except sqlite3.Error as error:
            _logger.debug("MLflow database: %r", error)
            if file.exists():
                reason = describe_error(error) or "it is no database of MLflow"
                raise RegistryUnavailable(f"the MLflow database cannot be read: {reason}") from None
            if _has_folder(file.with_name("artifacts")):
                raise RegistryUnavailable("the MLflow database is gone: restore it from a backup") from None
            return []  # nothing was ever registered here


def _has_folder(place: Path) -> bool:
    """Return True for a folder that has folders: artifacts outlive the database that names them. Locks are hidden."""
    return place.is_dir() and any(entry.is_dir() and not entry.name.startswith(".") for entry in place.iterdir())


def _open_sqlite(file: Path) -> sqlite3.Connection:
    """Open a database that exists, to read it.

    A process that was killed in a transaction leaves it to be undone first, which a connection with mode=ro refuses.
    Where the file cannot be written, SQLite opens it read only by itself.
    """
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=TIMEOUT_SECONDS)
    connection.execute("PRAGMA query_only = ON")
    return connection
