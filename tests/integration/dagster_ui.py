"""`zenith ui` as tests start it, and its GraphQL interface."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import PATIENCE, wait_until

ZENITH = Path(sys.executable).with_name("zenith")
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "zenith"}


class Dagster:
    """The UI's own GraphQL interface."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def is_up(self):
        try:
            return "zenith" in str(
                self.ask("{repositoriesOrError{... on RepositoryConnection{nodes{location{name}}}}}")
            )
        except (OSError, urllib.error.URLError):
            return False

    def stop_sensor(self, name):
        """Turn a sensor off; it stays off when the UI starts again."""
        query = "query($s: SensorSelector!){sensorOrError(sensorSelector: $s){... on Sensor{id}}}"
        sensor = self.ask(query, s={**REPOSITORY, "sensorName": name})["sensorOrError"]
        stop = "mutation($id: String!){stopSensor(id: $id){__typename ... on PythonError{message}}}"
        outcome = self.ask(stop, id=sensor["id"])["stopSensor"]
        assert outcome["__typename"] == "StopSensorMutationResult", outcome

    def materialized(self, asset, partition):
        query = (
            "query($k: AssetKeyInput!, $p: [String!]){assetNodeOrError(assetKey: $k)"
            "{... on AssetNode{assetMaterializations(partitions: $p){runId}}}}"
        )
        return bool(self.ask(query, k={"path": [asset]}, p=[partition])["assetNodeOrError"]["assetMaterializations"])

    def status(self, run_id):
        return self.ask("query($id: ID!){runOrError(runId: $id){... on Run{status}}}", id=run_id)["runOrError"][
            "status"
        ]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def start_ui(home, port, **settings):
    """The server's process, at the head of a group of its own; it logs to ui.log in `home`."""
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    with (home / "ui.log").open("ab") as log:
        return subprocess.Popen(
            [ZENITH, "ui", "--port", str(port)],
            env={**environment, "ZENITH_HOME": str(home), **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@contextmanager
def running_ui(home, **settings):
    """The interface of a UI that is up on `home`, all of which is gone afterwards."""
    port = free_port()
    dagster, server = Dagster(port), start_ui(home, port, **settings)
    try:
        wait_until(dagster.is_up)
        yield dagster
    finally:
        cut_off(server, home)


def processes_of_home(home):
    """The command lines of all processes on `home`, by process id."""
    commands = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ZENITH_HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return commands


def cut_off(server, home):
    """Kill the server and all that it started, at once, as a power cut would."""
    for pid in processes_of_home(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.wait()


def process_of(home, run_id):
    """The process that holds the run's lock."""
    inode = (home / "dagster" / "alive" / f"{run_id}.lock").stat().st_ino
    holders = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return next(int(holder[4]) for holder in holders if holder[5].endswith(f":{inode}"))
