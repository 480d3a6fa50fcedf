"""Commands while a server, a database or the disk fails: they end soon, in one line that names it."""

import os
import socket
import sqlite3
import sys
import threading
from contextlib import contextmanager
from itertools import product

import pytest

from tests.empty_databases import put_dagster_databases
from zenith_pipelines import patience

COMMANDS = [
    ("models", "AAPL"),
    ("models", "--history"),
    ("promote", "AAPL", "lstm", "1"),
    ("rollback", "AAPL", "ensemble"),
    ("cleanup", "--dry-run"),
    ("track-record", "AAPL"),
    ("leaderboard", "AAPL"),
    ("tickers", "list"),
    ("tickers", "add", "AAPL"),
    ("tickers", "remove", "AAPL"),
    ("predict", "AAPL"),
    ("export", "AAPL", "prices"),
    ("job", "refresh_prices"),
    ("job", "clear_prediction_cache"),
    ("run", "--source", "sample", "--tickers", "AAPL"),
    ("ui", "--port", "1"),
    ("doctor", "--url", "http://127.0.0.1:1"),
]
NONSENSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]"


@contextmanager
def listening(answer=None):
    """The port of a server that accepts connections; it answers each, or none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections = []

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                if answer:
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


@contextmanager
def locked(path):
    """An SQLite database that another connection has locked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE IF NOT EXISTS anything (value)")
    connection.execute("BEGIN EXCLUSIVE")
    yield path
    connection.close()


@contextmanager
def mlflow_closed(home):
    yield {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}


@contextmanager
def mlflow_hanging(home):
    with listening() as port:
        yield {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}


@contextmanager
def mlflow_nonsense(home):
    with listening(NONSENSE) as port:
        yield {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}


@contextmanager
def mlflow_database_closed(home):
    yield {"MLFLOW_TRACKING_URI": "postgresql://u:p@127.0.0.1:1/mlflow"}


@contextmanager
def mlflow_database_locked(home):
    with locked(home / "other.db") as path:
        yield {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"}


@contextmanager
def database_closed(home):
    yield {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/dagster"}


@contextmanager
def database_hanging(home):
    with listening() as port:
        yield {"DATABASE_URL": f"postgresql://u:p@127.0.0.1:{port}/dagster"}


@contextmanager
def dagster_locked(home):
    put_dagster_databases(home)
    with locked(home / "dagster" / "runs.db"), locked(home / "dagster" / "index.db"):
        yield {}


@contextmanager
def home_read_only(home):
    yield {"ZENITH_HOME": "/proc/zenith"}


FAULTS = {
    fault.__name__: fault
    for fault in (
        mlflow_closed,
        mlflow_hanging,
        mlflow_nonsense,
        mlflow_database_closed,
        mlflow_database_locked,
        database_closed,
        database_hanging,
        dagster_locked,
        home_read_only,
    )
}
NAMES = [" ".join(command) for command in COMMANDS]
QUICK = [
    ("models AAPL", "mlflow_closed"),
    ("models --history", "mlflow_nonsense"),
    ("cleanup --dry-run", "mlflow_hanging"),
    ("run --source sample --tickers AAPL", "mlflow_closed"),
    ("models AAPL", "mlflow_database_closed"),
    ("cleanup --dry-run", "mlflow_database_locked"),
    ("tickers list", "database_closed"),
    ("tickers add AAPL", "home_read_only"),
    ("job refresh_prices", "home_read_only"),
    ("predict AAPL", "mlflow_closed"),
]
NAMED = {"mlflow": "MLFLOW_TRACKING_URI", "database": "DATABASE_URL", "home": "/proc"}


@pytest.fixture
def end(zenith, monkeypatch, tmp_path):
    """Run a command under a fault; return its status and error lines."""

    def run(command, fault):
        for name in ("DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(patience, "COMMAND_SECONDS", 1)
        home = tmp_path / "home"
        with FAULTS[fault](home) as variables:
            for name, value in {"ZENITH_HOME": str(home), **variables}.items():
                monkeypatch.setenv(name, value)
            status, out, err = zenith(*command.split())
        assert "Traceback" not in out + err
        return status, err.splitlines()

    yield run
    patience.be_patient()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "fault"), QUICK)
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder in which not even root can write")
def test_a_command_that_needs_what_fails_ends_in_one_line_that_names_it(end, command, fault):
    status, lines = end(command, fault)

    assert status in (1, 2)
    (line,) = lines
    assert line.startswith("zenith: ")
    if not command.startswith("predict"):  # its registry is asked in the background
        assert NAMED[fault.partition("_")[0]] in line


@pytest.mark.long
@pytest.mark.parametrize(("command", "fault"), list(product(NAMES, FAULTS)))
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder in which not even root can write")
def test_no_command_shows_a_traceback_under_any_fault(end, monkeypatch, command, fault):
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("the UI was started"))

    status, lines = end(command, fault)

    if status:
        assert sum(line.startswith("zenith: ") for line in lines) <= 1 + ("run" in command)
