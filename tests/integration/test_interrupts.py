"""`zenith run` is stopped: no traceback, no worker left behind, no run that Dagster shows as started for ever."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.empty_databases import put_dagster_databases
from tests.waiting import PATIENCE, wait_until
from zenith_pipelines.dagster_runtime.dead_runs import fail_dead_runs
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

ZENITH = Path(sys.executable).with_name("zenith")


class Running:
    """`zenith run` of tickers, in a process group of its own, once its runs have started."""

    def __init__(self, home, tickers):
        self.tickers = tickers
        environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        self.process = subprocess.Popen(
            # Where the tests are a background job of a shell, SIGINT is ignored, and that is inherited.
            ["env", "--default-signal=INT", ZENITH, "run", "--source", "sample", "--tickers", ",".join(tickers)],
            env={**environment, "ZENITH_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.settings = Settings(zenith_home=home)
        wait_until(lambda: self.statuses() == ["STARTED"] * len(tickers))
        self.workers = [pid for pid in children_of(self.process.pid) if "spawn_main" in command_line(pid)]

    def statuses(self):
        if not (self.settings.home / "data").exists():
            return []
        with open_instance(self.settings) as instance:
            return [run.status.value for run in instance.get_runs()]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def children_of(pid):
    """Children of any of its threads."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


@pytest.fixture
def running(request, tmp_path):
    put_dagster_databases(tmp_path)
    running = Running(tmp_path, getattr(request, "param", ["AAPL"]))
    yield running
    for pid in (running.process.pid, *running.workers):
        if command_line(pid):
            os.kill(pid, signal.SIGKILL)
    running.process.communicate()


@pytest.mark.parametrize(
    ("running", "stop", "status"),
    [
        (["AAPL", "MSFT"], lambda process: os.killpg(process.pid, signal.SIGINT), 130),  # Ctrl-C in a terminal
        pytest.param(["AAPL"], lambda process: process.send_signal(signal.SIGINT), 130, marks=pytest.mark.long),
        (["AAPL"], lambda process: process.terminate(), 143),
    ],
    ids=["Ctrl-C", "SIGINT", "SIGTERM"],
    indirect=["running"],
)
def test_a_stopped_command_ends_soon_and_leaves_nothing_running(running, stop, status):
    stop(running.process)
    _, errors = running.process.communicate(timeout=PATIENCE)

    assert running.process.returncode == status
    assert "Traceback" not in errors
    assert len(running.workers) == len(running.tickers)
    assert not any(command_line(pid) for pid in running.workers)
    assert running.statuses() == ["FAILURE"] * len(running.tickers)


def test_workers_do_not_outlive_a_command_that_was_killed(running):
    running.process.kill()

    (worker,) = running.workers
    wait_until(lambda: command_line(worker) == "")
    assert running.statuses() == ["STARTED"]
    fail_dead_runs(running.settings)  # as the next `zenith run` does
    assert running.statuses() == ["FAILURE"]
