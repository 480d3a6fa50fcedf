"""`zenith up`, whole: real PostgreSQL, Redis, MLflow, Dagster and REST service on one machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from redis import ConnectionError, Redis

from tests.cli.stack.test_up import free_base
from tests.homes.older import ARCHIVES, unpack
from tests.integration.conftest import ZENITH
from tests.integration.dagster_ui import Dagster
from tests.waiting import PATIENCE, wait_until
from zenith_cli.stack.layout import Layout
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

RECORDS = """
{assetNodeOrError(assetKey: {path: ["lstm_model"]}) {... on AssetNode {
    partitionKeys assetMaterializations(limit: 9) {partition}
}}}
"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


class Up:
    """The command in a home of its own, and its output so far."""

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
        wait_until(lambda: "Zenith is up" in self.said() or self.process.poll() is not None)

    def said(self):
        return self.output.read_text()

    def zenith(self, *arguments):
        """A command in another terminal."""
        command = f'. "{self.layout.folder}/stack.env"; exec "{ZENITH}" {" ".join(arguments)}'
        return subprocess.run(
            ["sh", "-c", command], env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def status(self, service, path):
        with urllib.request.urlopen(f"{self.layout.url(service)}{path}", timeout=PATIENCE) as answer:
            return answer.status

    def answer(self, service, path):
        with urllib.request.urlopen(f"{self.layout.url(service)}{path}", timeout=PATIENCE) as answer:
            return answer.read()

    def processes(self):
        """All that were started for this home."""
        processes = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"ZENITH_HOME={self.layout.home}".encode() in (entry / "environ").read_bytes():
                    processes[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return processes


@pytest.fixture
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("up")
    folder.chmod(0o755)  # PostgreSQL, which does not run as root, has to reach its files
    for parent in folder.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    home = unpack(ARCHIVES[0], folder) / "home"
    home.chmod(0o755)
    yield from running(home)


def running(home):
    """Start the stack on a home; kill the rest of it at the end."""
    up = Up(home)
    yield up
    for pid in up.processes():
        os.kill(pid, signal.SIGKILL)
    up.process.wait()


def test_what_the_home_had_is_there_and_all_is_kept_running_and_ends(up):
    assert up.process.poll() is None, up.said()
    the_home_s_models_and_tickers_are_shared(up)
    everything_answers_is_kept_running_and_ends(up)


def the_home_s_models_and_tickers_are_shared(up):
    models = json.loads(up.answer("api", "/api/v1/ml/models?ticker=AAPL"))["models"]
    production = {model["name"]: model["version"] for model in models if model["status"] == "production"}
    assert production == {"lstm-AAPL": "2", "ensemble-AAPL": "1"}
    asset = Dagster(up.layout.port("dagster")).ask(RECORDS)["assetNodeOrError"]
    assert asset["partitionKeys"] == ["AAPL"]
    assert {record["partition"] for record in asset["assetMaterializations"]} == {"AAPL"}

    up.zenith("rollback", "AAPL", "lstm", "--reason", "shared")
    assert registry_without_stack(up).production("lstm-AAPL").version == 1


def registry_without_stack(up):
    home = Settings(zenith_home=up.layout.home, mlflow_tracking_uri=None)
    return ModelRegistry(home.tracking_uri, home.artifact_root)


def everything_answers_is_kept_running_and_ends(up):
    assert up.layout.url("api") in up.said()
    assert (up.status("mlflow", "/health"), up.status("api", "/health")) == (200, 200)
    assert redis_answers(up)
    assert "AAPL" in up.zenith("tickers", "list")
    assert Dagster(up.layout.port("dagster")).is_up()

    with Redis.from_url(up.layout.environment["REDIS_URL"]) as redis:
        os.kill(redis.info("server")["process_id"], signal.SIGKILL)
    wait_until(lambda: "redis    | exited with status -9, restarting" in up.said())
    wait_until(lambda: redis_answers(up))

    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(PATIENCE) == 130
    assert up.processes() == {}
    assert "killing it" not in up.said()
    assert (up.layout.folder / "postgres" / "PG_VERSION").exists()


@pytest.mark.long
def test_moved_it_starts_with_the_same_models_and_tickers(up, tmp_path):
    """A home that is stopped can be moved, or packed and unpacked, with its stack."""
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(PATIENCE) == 130
    version = registry_without_stack(up).production("lstm-AAPL").version
    for place in (tmp_path, *tmp_path.parents[:3]):
        place.chmod(place.stat().st_mode | 0o011)
    shutil.move(up.layout.home, tmp_path / "moved")
    for moved in running(tmp_path / "moved"):
        assert production(moved, "lstm") == version
        assert "AAPL" in moved.zenith("tickers", "list")
        moved.process.send_signal(signal.SIGINT)
        assert moved.process.wait(PATIENCE) == 130


def production(up, kind):
    versions = json.loads(up.zenith("models", "AAPL", "--json"))["AAPL"][kind]["versions"]
    return next(version["version"] for version in versions if "Production" in version["aliases"])


def redis_answers(up):
    with Redis.from_url(up.layout.environment["REDIS_URL"]) as redis:
        try:
            return redis.ping()
        except ConnectionError:
            return False
