"""The storage of Dagster's runs and events: SQLite that waits for locks, or PostgreSQL.

dagster.yaml names these classes, so that the UI, the daemon and the process of each run use them.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import DagsterPostgresException

from zenith_core.errors import StorageUnavailable, UserError
from zenith_pipelines.patience import COMMAND_SECONDS, is_brief, wait_seconds, waiting_for

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData


_SQLITE = "the SQLite files of Dagster's runs"
_DUPLICATE_TABLE = "42P07"  # PostgreSQL's error code


def _watched() -> AbstractContextManager[None]:
    """Let a command say that it waits for a transaction. A run has hundreds, and a timer for each costs."""
    return waiting_for(_SQLITE) if is_brief() else nullcontext()


class _OneEngine:
    """A part of Dagster's SQLite storage with one SQLAlchemy engine for its database.

    Dagster makes an engine for each connection, which costs more than the query: SQLAlchemy keeps compiled statements
    by engine. A connection is still opened for each transaction, so that no file stays open.
    """

    _conn_string: str

    @cached_property
    def _engine(self) -> sa.Engine:
        return sa.create_engine(self._conn_string, poolclass=sa.NullPool)

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """Open a connection with a transaction."""
        with _watched(), self._engine.connect() as connection, connection.begin():
            yield connection


class _SqliteRuns(_OneEngine, SqliteRunStorage):
    """The runs."""


class _SqliteSchedules(_OneEngine, SqliteScheduleStorage):
    """The schedules, sensors and their ticks."""


class _SqliteEvents(SqliteEventLogStorage):
    """The events: a database for each run, and the index. One engine, as of `_OneEngine`, opens all of them."""

    def __init__(self, base_dir: str) -> None:
        self._shard = INDEX_SHARD_NAME
        self._tables: set[str] = set()
        self._engine = sa.create_engine("sqlite://", poolclass=sa.NullPool, creator=self._open)
        super().__init__(base_dir)

    def has_table(self, table_name: str) -> bool:
        """Return True if the index has the table. It then stays, and Dagster asks before each query."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        """Open a connection with a transaction to the database of a run, or to the index; one at a time."""
        with _watched(), self._db_lock:
            self._shard = shard
            if shard not in self._initialized_dbs:
                self._initdb(self._engine)
                self._initialized_dbs.add(shard)
            with self._engine.connect() as connection, connection.begin():
                yield connection

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path_for_shard(self._shard), timeout=wait_seconds())


class SqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with a longer wait for locks, and one engine for each database."""

    def __init__(self, base_dir: str, inst_data: "ConfigurableClassData | None" = None) -> None:
        super().__init__(base_dir, inst_data)
        self._run_storage = _SqliteRuns(self._run_storage._conn_string)
        self._schedule_storage = _SqliteSchedules(self._schedule_storage._conn_string)
        self._event_log_storage = _SqliteEvents(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(
        cls, inst_data: "ConfigurableClassData | None", config_value: Mapping[str, Any]
    ) -> "SqliteStorage":
        """Make the storage from its configuration, for Dagster.

        `DAGSTER_HOME` comes before the folder in dagster.yaml: a copied file names the folder of the original.
        """
        folder = os.environ.get("DAGSTER_HOME") or config_value["base_dir"]
        if not sa.event.contains(sa.Engine, "connect", _wait_for_locks):
            sa.event.listen(sa.Engine, "connect", _wait_for_locks)  # Dagster makes an engine per connection
        return cls.from_local(inst_data=inst_data, base_dir=folder)


class PostgresStorage(DagsterPostgresStorage):
    """Dagster's PostgreSQL storage for every common form of URL."""

    @classmethod
    def from_config_value(
        cls, inst_data: "ConfigurableClassData | None", config_value: Mapping[str, Any]
    ) -> "PostgresStorage":
        """Make the storage from its configuration, for Dagster. Raises UserError or StorageUnavailable."""
        url = _with_timeout(database_url(config_value["postgres_url"]))
        try:
            with waiting_for("DATABASE_URL"):
                if is_brief():
                    _require_answer(url)
                return cls(url.render_as_string(hide_password=False), inst_data=inst_data)
        except DagsterPostgresException as error:
            raise storage_unavailable(error.__cause__ or error) from error
        except sa.exc.ProgrammingError as error:
            if getattr(error.orig, "pgcode", None) != _DUPLICATE_TABLE:
                raise
        # Another process created a table between Dagster's question and its statement; now it is there.
        return cls.from_config_value(inst_data, config_value)


def _with_timeout(url: sa.URL) -> sa.URL:
    """Limit the wait for a server that accepts connections and never answers."""
    seconds = str(min(wait_seconds(), COMMAND_SECONDS))
    return url if "connect_timeout" in url.query else url.update_query_dict({"connect_timeout": seconds})


def _require_answer(url: sa.URL) -> None:
    """Raise StorageUnavailable unless the server accepts a connection.

    Dagster itself tries seven times, with a warning each.
    """
    try:
        sa.create_engine(url, poolclass=sa.NullPool).connect().close()
    except sa.exc.OperationalError as error:
        raise storage_unavailable(error.orig or error) from error


def storage_unavailable(error: BaseException) -> StorageUnavailable:
    """Return the error for a server that does not answer."""
    return StorageUnavailable(f"the database of DATABASE_URL does not answer: {str(error).partition(chr(10))[0]}")


def database_url(text: str) -> sa.URL:
    """Return `DATABASE_URL` with the driver psycopg2, which Dagster is written for.

    To SQLAlchemy 2.1, postgresql:// means psycopg 3, and with it the connections of Dagster's webserver are closed as
    soon as they are opened. Raises UserError for another kind of URL, without repeating its password.
    """
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):  # ValueError: the port is no number
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres") or not url.database:
        raise UserError("DATABASE_URL must look like postgresql://user:password@host:5432/database")
    return url.set(drivername="postgresql+psycopg2")


def _wait_for_locks(connection: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        # With Dagster's 5 s for its table of runs, one backup loses a run.
        connection.execute(f"PRAGMA busy_timeout = {wait_seconds() * 1000}")
