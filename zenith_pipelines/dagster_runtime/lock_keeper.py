"""A session with PostgreSQL that holds one lock, and is begun anew if the server was away."""

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from zenith_core.errors import StorageUnavailable

if TYPE_CHECKING:
    from psycopg import Connection

LOOK_SECONDS = 1.0  # how often a process looks whether its session is still there
RELOCK_SECONDS = 4.0  # a lock that is free for longer is nobody's: that process would have taken it again
# So that the server soon ends the session of a machine that is gone without a word: after 10 + 3 × 5 s.
_SILENCE = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
_TABLE = "CREATE TABLE zenith_alive (run_id text PRIMARY KEY, host text NOT NULL, since timestamptz DEFAULT now())"


def connect(url: str) -> "Connection":
    """Return a session in autocommit mode, on a database that has the table. Raises StorageUnavailable."""
    import psycopg

    from zenith_pipelines.dagster_runtime.storage import database_url, storage_unavailable

    plain = database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = psycopg.connect(plain, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise storage_unavailable(error) from error
    for name, value in _SILENCE.items():
        connection.execute(f"SET {name} = {value}")
    if connection.execute("SELECT to_regclass('zenith_alive')").fetchone() == (None,):
        with suppress(psycopg.errors.DuplicateTable, psycopg.errors.UniqueViolation):  # another was quicker
            connection.execute(_TABLE)
    return connection


class AdvisoryLock:
    """Holds the lock `key` for a run from its making to `close`. Raises StorageUnavailable."""

    def __init__(self, url: str, run_id: str, key: int) -> None:
        self._url, self._run_id, self._key = url, run_id, key
        self._connection = self._take()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Remove the mark: the run has come to its end. If the server is away it stays, and a burial removes it."""
        import psycopg

        self._stop()
        with suppress(psycopg.Error):
            self._connection.execute("DELETE FROM zenith_alive WHERE run_id = %s", [self._run_id])

    def close(self) -> None:
        """Let go of the lock."""
        self._stop()
        self._connection.close()

    def _take(self) -> "Connection":
        """The lock first, then the mark: a mark whose lock is free is a dead process's."""
        connection = connect(self._url)
        connection.execute("SELECT pg_advisory_lock(%s)", [self._key])
        connection.execute(
            "INSERT INTO zenith_alive (run_id, host) VALUES (%s, %s) ON CONFLICT (run_id) DO NOTHING",
            [self._run_id, socket.gethostname()],
        )
        return connection

    def _keep(self) -> None:
        import psycopg

        while not self._closed.wait(LOOK_SECONDS):
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self._connection.close()
                with suppress(psycopg.OperationalError, StorageUnavailable):
                    self._connection = self._take()

    def _stop(self) -> None:
        self._closed.set()
        self._thread.join()
