"""`zenith up`, whole: real PostgreSQL, Redis, MLflow, Dagster and REST service on one machine."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from redis import Redis

from tests.cli.stack.test_up import free_base
from tests.integration.conftest import ZENITH
from tests.integration.dagster_ui import Dagster
from tests.waiting import wait_until
from zenith_cli.stack.layout import Layout

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


class Up:
    """The command, in a home of its own, with what it has printed."""

    def __init__(self, home):
        self.layout = Layout(home, free_base())
        names = ("DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        self.environment = {**environment, "ZENITH_HOME": str(home)}
        self.output = home.with_name("up.log")
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                ["env", "--default-signal=INT", ZENITH, "up", "--port-base", str(self.layout.port_base)],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: "Zenith is up" in self.said() or self.process.poll() is not None, 180)

    def said(self):
        return self.output.read_text()

    def zenith(self, *arguments):
        """A command in another terminal."""
        command = f'. "{self.layout.folder}/stack.env"; exec "{ZENITH}" {" ".join(arguments)}'
        return subprocess.run(
            ["sh", "-c", command], env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def status(self, service, path):
        with urllib.request.urlopen(f"{self.layout.url(service)}{path}", timeout=10) as answer:
            return answer.status

    def processes(self):
        """All that were started for this home."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"ZENITH_HOME={self.layout.home}".encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("up")
    folder.chmod(0o755)  # PostgreSQL, which does not run as root, has to reach its files
    for parent in folder.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    up = Up(folder / "home")
    yield up
    for pid in up.processes():
        os.kill(pid, signal.SIGKILL)
    up.process.wait()


def test_everything_answers_is_kept_running_and_ends(up):
    assert up.process.poll() is None, up.said()
    assert up.layout.url("api") in up.said()
    assert (up.status("mlflow", "/health"), up.status("api", "/health")) == (200, 200)
    assert Redis.from_url(up.layout.environment["REDIS_URL"]).ping()
    assert "AAPL" in up.zenith("tickers", "add", "AAPL")
    assert "AAPL" in up.zenith("tickers", "list")
    assert Dagster(up.layout.port("dagster")).is_up()

    (mlflow,) = [pid for pid, command in up.processes().items() if "mlflow server" in command]
    os.kill(mlflow, signal.SIGKILL)
    wait_until(lambda: "mlflow   | exited with status -9, restarting" in up.said(), 10)
    wait_until(lambda: mlflow_answers(up), 60)

    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 130
    assert up.processes() == {}
    assert "killing it" not in up.said()
    assert (up.layout.folder / "postgres" / "PG_VERSION").exists()


def mlflow_answers(up):
    try:
        return up.status("mlflow", "/health") == 200
    except OSError:
        return False
