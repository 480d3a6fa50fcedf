"""Commands while a server, a database or the disk fails: they end soon, in one line that names it."""

import logging
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import pytest
from typer.main import get_command

from tests import forked
from tests.empty_databases import put_dagster_databases
from tests.homes.older import ARCHIVES, unpack
from tests.waiting import PATIENCE, wait_until
from zenith_cli.commands import app
from zenith_cli.main import main
from zenith_core.errors import StorageUnavailable
from zenith_pipelines import patience

resource = pytest.importorskip("resource", reason="limits are POSIX")

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
    ("tickers", "rename", "AAPL", "AAPLE"),
    ("predict", "AAPL"),
    ("predict", "AAPL", "--risk"),
    ("forecast", "AAPL"),
    ("explain", "AAPL"),
    ("replay", "lstm-AAPL"),
    ("compare", "AAPL", "lstm-1", "lstm-2"),
    ("universe",),
    ("ledger", "verify"),
    ("alerts", "list"),
    ("alerts", "test"),
    ("ledger", "verify", "big.parquet"),
    ("prices", "check", "."),
    ("book", "book.csv"),
    ("scale", "show"),
    ("scale", "rollback"),
    ("export", "AAPL", "prices"),
    ("job", "refresh_prices"),
    ("job", "evaluate_model"),
    ("job", "learn_scale"),
    ("job", "cleanup_old_models"),
    ("job", "clear_prediction_cache"),
    ("run", "--source", "sample", "--tickers", "AAPL", "--until", "raw_prices"),
    ("serve", "--port", "47102"),
    ("ui", "--port", "47101"),
    ("up", "--port-base", "47110"),
    ("doctor", "--url", "http://127.0.0.1:1"),
]
EMPTY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
SSL_REQUEST = (80877103).to_bytes(4, "big")
WRONG_PASSWORD = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "u"\0\0'
NONSENSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]"


@contextmanager
def listening(*answers):
    """The port of a server that gives each connection its answer, and none to those that come after."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections = []

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                number = len(connections)
                connections.append(connection)
                if answers and (number < len(answers) or answers[-1] is answers[0] is NONSENSE):
                    with suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(answers[min(number, len(answers) - 1)])
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


@contextmanager
def refusing_passwords():
    """The port of a server that says to each client what PostgreSQL says to a wrong password."""
    message = b"E" + (len(WRONG_PASSWORD) + 4).to_bytes(4, "big") + WRONG_PASSWORD
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    if connection.recv(8)[4:] == SSL_REQUEST:
                        connection.sendall(b"N")
                        connection.recv(65536)
                    connection.sendall(message)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


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
def mlflow_hanging_later(home):
    with listening(EMPTY) as port:
        yield {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}


@contextmanager
def mlflow_nonsense(home):
    with listening(NONSENSE) as port:
        yield {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}


@contextmanager
def mlflow_database_closed(home):
    yield {"MLFLOW_TRACKING_URI": "postgresql://u:p@127.0.0.1:1/mlflow"}


@contextmanager
def mlflow_database_password(home):
    with refusing_passwords() as port:
        yield {"MLFLOW_TRACKING_URI": f"postgresql://u:p@127.0.0.1:{port}/mlflow"}


@contextmanager
def mlflow_database_locked(home):
    with locked(home / "other.db") as path:
        yield {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"}


@contextmanager
def registry_locked(home):
    with locked(home / "mlflow" / "mlflow.db"):
        yield {}


@contextmanager
def database_closed(home):
    yield {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/dagster"}


@contextmanager
def database_password(home):
    with refusing_passwords() as port:
        yield {"DATABASE_URL": f"postgresql://u:p@127.0.0.1:{port}/dagster"}


@contextmanager
def database_hanging(home):
    with listening() as port:
        yield {"DATABASE_URL": f"postgresql://u:p@127.0.0.1:{port}/dagster"}


@contextmanager
def dagster_locked(home):
    if not (home / "dagster" / "history").exists():
        put_dagster_databases(home)
    with locked(home / "dagster" / "history" / "runs.db"), locked(home / "dagster" / "history" / "runs" / "index.db"):
        yield {}


@contextmanager
def redis_hanging(home):
    with listening() as port:
        yield {"REDIS_URL": f"redis://127.0.0.1:{port}"}


@contextmanager
def home_read_only(home):
    yield {"ZENITH_HOME": "/proc/zenith"}


@contextmanager
def files_limited(home):
    """No file can be written, as with a quota that is used up. Python gives EFBIG instead of the signal."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield {}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def memory_short(home):
    """The process may take 2 GiB more, and a file beside the home has 8."""
    with (home.parent / "big.parquet").open("wb") as file:
        file.truncate(2**33)
    before = resource.getrlimit(resource.RLIMIT_AS)
    bytes_in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (bytes_in_use + 2**31, before[1]))
    try:
        yield {}
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def disk_full(home):
    disk = home.parent / "disk"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=64m", "none"):
        shutil.copytree(home, disk / "home", dirs_exist_ok=True)
        with (disk / "rest").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield {"ZENITH_HOME": str(disk / "home")}


@contextmanager
def disk_read_only(home):
    home.mkdir(exist_ok=True)
    with mounted(home, "--bind", str(home)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(home)], check=True)
        yield {}


@contextmanager
def mounted(folder, *options):
    if subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


FAULTS = {
    fault.__name__: fault
    for fault in (
        mlflow_closed,
        mlflow_hanging,
        mlflow_hanging_later,
        mlflow_nonsense,
        mlflow_database_closed,
        mlflow_database_password,
        mlflow_database_locked,
        registry_locked,
        database_closed,
        database_password,
        database_hanging,
        dagster_locked,
        redis_hanging,
        home_read_only,
        files_limited,
        memory_short,
        disk_full,
        disk_read_only,
    )
}
NAMES = [" ".join(command) for command in COMMANDS]
QUICK = [
    ("models AAPL", "mlflow_closed"),
    ("models --history", "mlflow_nonsense"),
    ("cleanup --dry-run", "mlflow_hanging"),
    ("cleanup --dry-run", "mlflow_hanging_later"),
    ("run --source sample --tickers AAPL --until raw_prices", "mlflow_closed"),
    ("models AAPL", "mlflow_database_closed"),
    ("models AAPL", "mlflow_database_password"),
    ("cleanup --dry-run", "mlflow_database_locked"),
    ("job evaluate_model", "mlflow_closed"),
    ("tickers list", "database_closed"),
    ("tickers add AAPL", "database_password"),
    ("tickers remove AAPL", "database_hanging"),
    ("tickers add AAPL", "home_read_only"),
    ("job refresh_prices", "home_read_only"),
    ("tickers add AAPL", "files_limited"),
    ("ledger verify big.parquet", "memory_short"),
    ("predict AAPL", "mlflow_closed"),
]
WAITS = {
    "mlflow_hanging": "MLFLOW_TRACKING_URI",
    "mlflow_hanging_later": "MLFLOW_TRACKING_URI",
    "mlflow_database_locked": "MLFLOW_TRACKING_URI",
    "database_hanging": "DATABASE_URL",
}
NAMED = {
    "mlflow": "MLFLOW",
    "database": "DATABASE_URL",
    "home": "/proc",
    "files": "no file can grow",
    "memory": "out of memory",
}


def be_quick():
    """Wait briefly for what does not answer, also in a run, and say nothing meanwhile."""
    patience.COMMAND_SECONDS, patience.RUN_SECONDS, patience._SILENT_SECONDS = 1, 2, PATIENCE


@pytest.fixture
def end(zenith, monkeypatch, tmp_path):
    """Run a command under a fault; return its status and error lines.

    says: the faults under which a wait is said at once
    """

    def run(command, fault, home=None, says=()):
        for name in ("DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(patience, "COMMAND_SECONDS", 1)
        monkeypatch.setattr(patience, "RUN_SECONDS", 2)
        monkeypatch.setattr(patience, "_SILENT_SECONDS", 0 if fault in says else PATIENCE)
        monkeypatch.setattr(logging, "raiseExceptions", False)  # handlers keep the closed streams of earlier tests
        monkeypatch.chdir(tmp_path)
        home = home or tmp_path / "home"
        with FAULTS[fault](home) as variables:
            for name, value in {"ZENITH_HOME": str(home), **variables}.items():
                monkeypatch.setenv(name, value)
            if fault not in ("files_limited", "memory_short"):  # limits, which a forked worker would not have
                forked.fork_workers(monkeypatch, be_quick)
            status, out, err = zenith(*command.split())
        assert "Traceback" not in out + err
        return status, err.splitlines()

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("command", "fault"), QUICK)
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder in which not even root can write")
def test_a_command_that_needs_what_fails_ends_in_one_line_that_names_it(end, command, fault):
    status, lines = end(command, fault, says=WAITS)

    assert status in (1, 2)
    *waits, line = lines
    if fault in WAITS:
        assert f"zenith: waiting for {WAITS[fault]}" in waits
    else:
        assert waits == []
    assert line.startswith("zenith: ")
    if not command.startswith("predict"):  # its registry is asked in the background
        assert NAMED[fault.partition("_")[0]].lower() in line.lower()


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("models AAPL", "zenith_serving.registry.rest.RestRegistry.versions"),
        ("compare AAPL lstm-1 lstm-2", "zenith_cli.compare.compare_versions"),
        ("predict AAPL", "zenith_cli.predict._price_and_signal"),
        ("forecast AAPL", "zenith_cli.forecast.forecast_row"),
    ],
)
def test_a_command_that_reads_as_the_service_does_says_what_it_waits_for(zenith, monkeypatch, tmp_path, command, place):
    def hang(*_, **__):
        wait_until(lambda: patience._said)
        raise StorageUnavailable("it is away")

    for name, value in {"ZENITH_HOME": str(tmp_path / "home"), "MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(patience, "_SILENT_SECONDS", 0)
    monkeypatch.setattr(place, hang)

    status, _, err = zenith(*command.split())

    assert (status, err) == (1, "zenith: waiting for MLFLOW_TRACKING_URI\nzenith: it is away\n")


def test_every_command_is_in_the_table():
    commands = {
        (name, *([part] if part else []))
        for name, command in get_command(app).commands.items()
        for part in getattr(command, "commands", [None])
    }
    assert {one for one in commands if not any(one == row[: len(one)] for row in COMMANDS)} == {
        ("scale", "prior")  # reads a folder of price files alone
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home with two versions of each model of AAPL. Not to be changed."""
    home = unpack(ARCHIVES[0], tmp_path_factory.mktemp("trained")) / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZENITH_HOME", str(home))
        patch.setattr("sys.argv", ["zenith", "models"])
        with pytest.raises(SystemExit):
            main()
    return home


@pytest.fixture
def without_servers(monkeypatch):
    """Let the commands that start servers end where they would start them."""

    async def start(*_, **__):
        return 0

    monkeypatch.setattr("zenith_serving.server._serve_here", lambda *_: None)
    monkeypatch.setattr("zenith_cli.ui.run_in_foreground", start)
    monkeypatch.setattr("zenith_cli.stack.up.run_in_foreground", start)
    monkeypatch.setattr("zenith_cli.stack.up.prepare", lambda _: None)


@pytest.fixture
def home(trained, tmp_path):
    """A copy of the trained home, deleted afterwards: pytest would keep hundreds for days."""
    yield shutil.copytree(trained, tmp_path / "home")
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.long
@pytest.mark.usefixtures("without_servers")
@pytest.mark.parametrize(("command", "fault"), list(product(NAMES, FAULTS)))
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder in which not even root can write")
def test_no_command_shows_a_traceback_under_any_fault(end, home, tmp_path, command, fault):
    (tmp_path / "book.csv").write_text("ticker,quantity\nAAPL,10\n")

    status, lines = end(command, fault, home)

    if status:
        assert sum(line.startswith("zenith: ") for line in lines) <= 1 + ("run" in command)
