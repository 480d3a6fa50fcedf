"""The lock that a run's process holds while it works. If the lock can be acquired, the process is dead.

Beside it a run holds the lock of its ticker, so that two never write the datasets of one ticker at the same time: a run
that a person starts waits for a batch at the same ticker, and the batch for the run.

Beside an SQLite instance the lock is on a file, and the operating system releases it when the process ends. In a
PostgreSQL instance it is an advisory lock, and the server releases it when the session ends, on any machine. A process
that was killed leaves a mark: the file, or a row of the table zenith_alive.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock, Timeout

from zenith_core.errors import StorageUnavailable
from zenith_pipelines.dagster_runtime.instance import dagster_home
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

POLL_SECONDS = 1.0  # how often a process checks that its session still exists
_TICKER_POLL_SECONDS = 0.5  # how often a run that waits for its ticker's lock tries it
RELOCK_SECONDS = 4.0  # a live process acquires its lock again within this time after a restart of the server
# The server ends the session of a machine that has vanished after 10 + 3 × 5 s.
_KEEPALIVE = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
_TABLE = "CREATE TABLE zenith_alive (run_id text PRIMARY KEY, host text NOT NULL, since timestamptz DEFAULT now())"

_logger = logging.getLogger(__name__)


def hold_ticker(settings: Settings, ticker: str, log: logging.Logger | None = None) -> AbstractContextManager[None]:
    """Hold the lock of a validated ticker while its datasets are made; wait until no other process holds it.

    A wait is said in one line, on stderr and in the `log` of a run. Nested calls of a process are allowed.
    Raises StorageUnavailable.
    """

    def waits() -> None:
        line = f"{ticker}: waiting until another run of this ticker ends"
        _logger.warning(line)
        if log:
            log.info(line)

    return run_locks(settings).hold_ticker(ticker, waits)


class RunLocks(Protocol):
    """The locks of one instance: of its runs by id, and of its tickers."""

    def hold(self, run_id: str) -> AbstractContextManager[None]:
        """Hold the lock of a run; nested calls are allowed. If an error passes through, the mark stays."""

    def hold_ticker(self, ticker: str, waits: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the lock of a ticker; call `waits` once if another process holds it. Nested calls are allowed."""

    def possibly_dead(self) -> Sequence[str]:
        """Return the runs that have a mark and whose lock may be free."""

    def acquire_dead(self, run_id: str, *, blocking: bool) -> AbstractContextManager[None]:
        """Hold the lock of a dead run, then delete its mark. Raises filelock.Timeout if another process holds it."""


def hold_run_lock(settings: Settings, run_id: str) -> AbstractContextManager[None]:
    """Hold the lock of a run while it works; nested calls are allowed. Raises StorageUnavailable.

    If an error passes through, the mark stays, and the next cleanup checks whether the run ended.
    """
    return run_locks(settings).hold(run_id)


def run_locks(settings: Settings) -> RunLocks:
    """Return the locks of the instance: in its database, or beside its SQLite files."""
    home = dagster_home(settings)
    if settings.database_url:
        return DatabaseLocks(settings.database_url.get_secret_value())
    return FileLocks(home / "alive")


class FileLocks:
    """Locks on files in `folder`, visible on this machine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """See `RunLocks.hold`."""
        path = self._path(run_id)
        lock = FileLock(path, thread_local=False, is_singleton=True)  # one for the process, so that calls nest
        with lock:
            yield
        if not lock.is_locked:
            path.unlink(missing_ok=True)

    @contextmanager
    def hold_ticker(self, ticker: str, waits: Callable[[], None]) -> Iterator[None]:
        """See `RunLocks.hold_ticker`. The file stays: another process may have opened it to wait."""
        folder = self._folder / "tickers"
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / f"{ticker}.lock", thread_local=False, is_singleton=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waits()
            lock.acquire(poll_interval=_TICKER_POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def possibly_dead(self) -> list[str]:
        """See `RunLocks.possibly_dead`. Returns every mark, because trying a lock costs no more than checking it."""
        return [path.stem for path in self._folder.glob("*.lock")]

    @contextmanager
    def acquire_dead(self, run_id: str, *, blocking: bool) -> Iterator[None]:
        """See `RunLocks.acquire_dead`."""
        path = self._path(run_id)
        with FileLock(path, blocking=blocking):
            yield
        path.unlink(missing_ok=True)

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.lock"


class DatabaseLocks:
    """Advisory locks of PostgreSQL sessions, visible on every machine that uses the server. Raises StorageUnavailable.

    A connection pooler in between must not share sessions (PgBouncer: `pool_mode = session`).
    """

    _own_locks: dict[str, "AdvisoryLock"] = {}  # of this process by run id, so that calls nest  # noqa: RUF012

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """See `RunLocks.hold`. After a restart of the server the lock is acquired again."""
        if run_id in self._own_locks:
            yield
            return
        lock = self._own_locks[run_id] = AdvisoryLock(self._url, run_id)
        try:
            yield
            lock.delete_mark()
        finally:
            lock.release()
            del self._own_locks[run_id]

    @contextmanager
    def hold_ticker(self, ticker: str, waits: Callable[[], None]) -> Iterator[None]:
        """See `RunLocks.hold_ticker`."""
        key = f"ticker {ticker}"
        if key in self._own_locks:
            yield
            return
        lock = self._own_locks[key] = AdvisoryLock(self._url, key, has_mark=False, waits=waits)
        try:
            yield
        finally:
            lock.release()
            del self._own_locks[key]

    def possibly_dead(self) -> list[str]:
        """See `RunLocks.possibly_dead`. Waits until live processes have their locks again after a restart."""
        with connect(self._url) as connection:
            marks = [run_id for (run_id,) in connection.execute("SELECT run_id FROM zenith_alive")]
            free = [run_id for run_id in marks if _try_lock(connection, run_id)]
        if free:
            time.sleep(RELOCK_SECONDS)
        return free

    @contextmanager
    def acquire_dead(self, run_id: str, *, blocking: bool) -> Iterator[None]:
        """See `RunLocks.acquire_dead`."""
        with connect(self._url) as connection:
            if blocking:
                connection.execute("SELECT pg_advisory_lock(%s)", [_lock_key(run_id)])
            elif not _try_lock(connection, run_id):
                raise Timeout(run_id)
            yield
            connection.execute("DELETE FROM zenith_alive WHERE run_id = %s", [run_id])


class AdvisoryLock:
    """The lock of a run or ticker, held until `release`. A thread renews a lost session. Raises StorageUnavailable."""

    def __init__(
        self, url: str, run_id: str, *, has_mark: bool = True, waits: Callable[[], None] = lambda: None
    ) -> None:
        self._url, self._run_id, self._has_mark = url, run_id, has_mark
        self._connection = self._acquire(waits)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def delete_mark(self) -> None:
        """Delete the mark, because the run has ended. If the server is unavailable, a later cleanup deletes it."""
        import psycopg

        self._stop()
        with suppress(psycopg.Error):
            self._connection.execute("DELETE FROM zenith_alive WHERE run_id = %s", [self._run_id])

    def release(self) -> None:
        """Release the lock."""
        self._stop()
        self._connection.close()

    def _acquire(self, waits: Callable[[], None] = lambda: None) -> "Connection":
        """Acquire the lock before writing the mark: a mark with a free lock means a dead process."""
        connection = connect(self._url)
        if not _try_lock(connection, self._run_id):
            waits()
            connection.execute("SELECT pg_advisory_lock(%s)", [_lock_key(self._run_id)])
        if self._has_mark:
            connection.execute(
                "INSERT INTO zenith_alive (run_id, host) VALUES (%s, %s) ON CONFLICT (run_id) DO NOTHING",
                [self._run_id, socket.gethostname()],
            )
        return connection

    def _keep(self) -> None:
        import psycopg

        while not self._stopped.wait(POLL_SECONDS):
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self._connection.close()
                with suppress(psycopg.OperationalError, StorageUnavailable):
                    self._connection = self._acquire()

    def _stop(self) -> None:
        self._stopped.set()
        self._thread.join()


def connect(url: str) -> "Connection":
    """Open an autocommit session on a database that has the table of marks. Raises StorageUnavailable."""
    import psycopg

    from zenith_pipelines.dagster_runtime.storage import database_url, storage_unavailable

    plain = database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise storage_unavailable(error) from error
    for name, value in _KEEPALIVE.items():
        connection.execute(f"SET {name} = {value}")
    if connection.execute("SELECT to_regclass('zenith_alive')").fetchone() == (None,):
        with suppress(psycopg.errors.DuplicateTable, psycopg.errors.UniqueViolation):  # another process created it
            connection.execute(_TABLE)
    return connection


def _try_lock(connection: "Connection", run_id: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_lock_key(run_id)]).fetchone()
    return bool(row and row[0])


def _lock_key(run_id: str) -> int:
    """Return the key of the lock in PostgreSQL: a signed 64-bit hash of the run id."""
    return int.from_bytes(blake2b(run_id.encode(), digest_size=8).digest(), signed=True)
