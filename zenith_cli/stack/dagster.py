"""Dagster's three processes: code server, guarded webserver, daemon."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenith_cli.stack.probes import fetch
from zenith_cli.stack.supervisor import Service
from zenith_pipelines.datasets.atomic_files import write_atomically

_DAEMONS = "{instance{daemonHealth{allDaemonStatuses{healthy required}}}}"


@dataclass(frozen=True)
class DagsterServers:
    """The processes of one Dagster home.

    workspace:     the workspace file, which names the code server
    code_options:  where the code server listens: host and port, or a socket
    host, port:    where the webserver listens
    log_level:     lowest level that is logged
    """

    workspace: Path
    code_options: tuple[str, ...]
    host: str
    port: int
    environment: Mapping[str, str]
    log_level: str = "warning"

    def write_workspace(self, server: Mapping[str, Any]) -> None:
        """Write the workspace file with the address of the code server."""
        location = {"grpc_server": {**server, "location_name": "zenith"}}
        write_atomically(self.workspace, json.dumps({"load_from": [location]}).encode())  # JSON is YAML

    @property
    def url(self) -> str:
        """Return the webserver's address from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def code(self, is_ready: Callable[[], bool], prepare: Callable[[], None], needs: tuple[str, ...] = ()) -> Service:
        """Return the code server."""
        location = ("-m", "zenith_pipelines.definitions", "--location-name", "zenith", "--log-level", self.log_level)
        return Service(
            name="code",
            command=program("dagster", "code-server", "start", *self.code_options, *location),
            environment=self.environment,
            needs=needs,
            prepare=prepare,
            is_ready=is_ready,
        )

    def webserver(self) -> Service:
        """Return the webserver behind its guard."""
        module = "zenith_pipelines.dagster_runtime.webserver"
        place = ("--host", self.host, "--port", str(self.port), "--log-level", self.log_level)
        return Service(
            name="dagster",
            command=[sys.executable, "-m", module, "--workspace", str(self.workspace), *place],
            environment=self.environment,
            needs=("code",),
            is_ready=lambda: fetch(f"{self.url}/server_info") is not None,
        )

    def daemon(self, needs: tuple[str, ...] = ("dagster",)) -> Service:
        """Return the daemon that runs schedules, sensors and queued runs."""
        return Service(
            name="daemon",
            command=program("dagster-daemon", "run", "-w", str(self.workspace), "--log-level", self.log_level),
            environment=self.environment,
            needs=needs,
            is_ready=self._daemons_are_healthy,
        )

    def _daemons_are_healthy(self) -> bool:
        body = fetch(f"{self.url}/graphql", json.dumps({"query": _DAEMONS}).encode())
        if body is None:
            return False
        daemons = json.loads(body)["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
        return all(daemon["healthy"] for daemon in daemons if daemon["required"])


def program(name: str, *arguments: str) -> list[str]:
    """Return the command line of a program of this virtual environment."""
    return [str(Path(sys.executable).with_name(name)), *arguments]
