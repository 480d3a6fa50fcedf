"""The lock that a run's process holds while it works. Who can have it, knows that the process is gone.

It lies where the runs are kept: beside an SQLite instance as a file, which the system lets go of when the process ends,
in whatever way; in a PostgreSQL instance as an advisory lock, which the server lets go of when the session ends, on
whatever machine it was. A file, or a row in a table, stays behind and says that there was such a process.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock, Timeout

from zenith_pipelines.dagster_runtime.lock_keeper import RELOCK_SECONDS, AdvisoryLock, connect
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection


class RunLocks(Protocol):
    """The locks of the runs of one instance, by run id."""

    def hold(self, run_id: str) -> AbstractContextManager[None]:
        """Hold a run's lock; it may be entered again within. The mark stays if an error passes through."""

    def possibly_dead(self) -> Sequence[str]:
        """Runs that left a mark and whose lock may be free; some are not."""

    def acquire_dead(self, run_id: str, *, blocking: bool) -> AbstractContextManager[None]:
        """Hold the lock of a run that is dead, then remove its mark. Raises filelock.Timeout if somebody holds it."""


def run_locks(settings: Settings, home: Path) -> RunLocks:
    """The locks of the instance whose Dagster home is `home`."""
    if settings.database_url:
        return DatabaseLocks(settings.database_url.get_secret_value())
    return FileLocks(home / "alive")


class FileLocks:
    """Locks on files in `folder`, known to this machine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """See `RunLocks.hold`."""
        path = self._path(run_id)
        lock = FileLock(path, thread_local=False, is_singleton=True)  # the process's own, so that it nests
        with lock:
            yield
        if not lock.is_locked:
            path.unlink(missing_ok=True)

    def possibly_dead(self) -> list[str]:
        """See `RunLocks.possibly_dead`: all that there are, since to ask for one is as quick as to look."""
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
    """Advisory locks of sessions with a PostgreSQL server, known to every machine that it serves.

    A pooler between them has to keep sessions apart (PgBouncer: `pool_mode = session`). Raises StorageUnavailable.
    """

    _advisory_locks: dict[str, AdvisoryLock] = {}  # of this process, by run id, so that it nests  # noqa: RUF012

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def hold(self, run_id: str) -> Iterator[None]:
        """See `RunLocks.hold`. If the server is restarted, the lock is taken again."""
        if run_id in self._advisory_locks:
            yield
            return
        lock = self._advisory_locks[run_id] = AdvisoryLock(self._url, run_id, _key(run_id))
        try:
            yield
            lock.forget()
        finally:
            lock.close()
            del self._advisory_locks[run_id]

    def possibly_dead(self) -> list[str]:
        """See `RunLocks.possibly_dead`. Who lives has been given the time to take the lock again after a restart."""
        with connect(self._url) as connection:
            marks = [run_id for (run_id,) in connection.execute("SELECT run_id FROM zenith_alive")]
            free = [run_id for run_id in marks if _try(connection, run_id)]
        if free:
            time.sleep(RELOCK_SECONDS)
        return free

    @contextmanager
    def acquire_dead(self, run_id: str, *, blocking: bool) -> Iterator[None]:
        """See `RunLocks.acquire_dead`."""
        with connect(self._url) as connection:
            if blocking:
                connection.execute("SELECT pg_advisory_lock(%s)", [_key(run_id)])
            elif not _try(connection, run_id):
                raise Timeout(run_id)
            yield
            connection.execute("DELETE FROM zenith_alive WHERE run_id = %s", [run_id])


def _try(connection: "Connection", run_id: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_key(run_id)]).fetchone()
    return bool(row and row[0])


def _key(run_id: str) -> int:
    """What PostgreSQL knows the lock by: 64 bits with a sign."""
    return int.from_bytes(blake2b(run_id.encode(), digest_size=8).digest(), signed=True)
