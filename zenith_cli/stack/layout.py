"""Services of the stack: their ports, environment and readiness checks."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from zenith_cli.stack.servers import HOST, postgres, postgres_url, redis, redis_url
from zenith_cli.stack.supervisor import Service
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.instance import write_configuration
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.settings import Settings

SERVICES = ("api", "dagster", "mlflow", "postgres", "redis", "code")  # in the order of their ports
_LAST_BASE = 65_535 - len(SERVICES) + 1
_DAEMONS = "{instance{daemonHealth{allDaemonStatuses{healthy required}}}}"


@dataclass(frozen=True)
class Layout:
    """Folder and ports of the stack."""

    home: Path
    port_base: int

    @property
    def folder(self) -> Path:
        """The folder for the stack's own files."""
        return self.home / "stack"

    def port(self, service: str) -> int:
        """Return the port of a service."""
        return self.port_base + SERVICES.index(service)

    def url(self, service: str) -> str:
        """Return the address of an HTTP service."""
        return f"http://{HOST}:{self.port(service)}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that connect every part of Zenith to the stack. They contain passwords."""
        return {
            "ZENITH_HOME": str(self.home),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "DATABASE_URL": postgres_url(self.folder, self.port("postgres"), "dagster"),
            "MLFLOW_TRACKING_URI": self.url("mlflow"),
            "REDIS_URL": redis_url(self.folder, self.port("redis")),
            "DAGSTER_URL": self.url("dagster"),
        }

    def require_free_ports(self) -> None:
        """Raise UserError with the first service whose port is taken."""
        if not 1024 <= self.port_base <= _LAST_BASE:
            raise UserError(f"--port-base must be from 1024 to {_LAST_BASE}")
        for service in SERVICES:
            try:
                socket.create_server((HOST, self.port(service))).close()
            except OSError:
                raise UserError(
                    f"port {self.port(service)}, needed by {service}, is busy: free it, "
                    "or choose other ports with --port-base"
                ) from None


def prepare(layout: Layout) -> None:
    """Create the folder with Dagster's configuration, and `stack.env` for other terminals."""
    dagster_home = layout.folder / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True, mode=0o711)
    settings = Settings(
        zenith_home=layout.home,
        database_url=SecretStr(layout.environment["DATABASE_URL"]),
        mlflow_tracking_uri=layout.environment["MLFLOW_TRACKING_URI"],
    )
    write_configuration(settings, dagster_home)
    location = {"grpc_server": {"host": HOST, "port": layout.port("code"), "location_name": "zenith"}}
    write_atomically(layout.folder / "workspace.yaml", json.dumps({"load_from": [location]}).encode())
    lines = "".join(f"export {name}='{value}'\n" for name, value in layout.environment.items())
    variables = layout.folder / "stack.env"
    variables.touch(mode=0o600)
    variables.write_text(lines)


def services(layout: Layout) -> list[Service]:
    """Return all services. Raises UserError if PostgreSQL or Redis is not installed or cannot run here."""
    environment = layout.environment
    workspace = ["-w", str(layout.folder / "workspace.yaml")]
    code = ["code-server", "start", "-h", HOST, "-p", str(layout.port("code")), "-m", "zenith_pipelines.definitions"]
    mlflow = ["--host", HOST, "--port", str(layout.port("mlflow"))]
    web = ["-h", HOST, "-p", str(layout.port("dagster")), *workspace, "--dagster-log-level", "warning"]
    return [
        postgres(layout.folder, layout.port("postgres")),
        redis(layout.folder, layout.port("redis")),
        Service(
            name="mlflow",
            command=_program("mlflow", "server", *mlflow, "--workers", "1", "--uvicorn-opts", "--log-level warning"),
            environment=_mlflow_environment(layout),
            needs=("postgres",),
            is_ready=lambda: _get(f"{layout.url('mlflow')}/health") is not None,
        ),
        Service(
            name="code",
            command=_program("dagster", *code, "--location-name", "zenith"),
            environment=environment,
            needs=("postgres",),
            prepare=lambda: _create_tables(environment),
            is_ready=lambda: _listens(layout.port("code")),
        ),
        Service(
            name="dagster",
            command=_program("dagster-webserver", *web),
            environment=environment,
            needs=("code",),
            is_ready=lambda: _get(f"{layout.url('dagster')}/server_info") is not None,
        ),
        Service(
            name="daemon",
            command=_program("dagster-daemon", "run", *workspace, "--log-level", "warning"),
            environment=environment,
            needs=("dagster", "mlflow"),
            is_ready=lambda: _daemons_are_healthy(layout.url("dagster")),
        ),
        Service(
            name="api",
            command=_program("zenith", "serve", "--host", HOST, "--port", str(layout.port("api"))),
            environment=environment,
            needs=("mlflow", "redis"),
            is_ready=lambda: _get(f"{layout.url('api')}/health") is not None,
        ),
    ]


def _mlflow_environment(layout: Layout) -> Mapping[str, str]:
    """Return settings with a password, which must not be arguments because every user can read those."""
    return {
        "MLFLOW_BACKEND_STORE_URI": postgres_url(layout.folder, layout.port("postgres"), "mlflow"),
        "MLFLOW_ARTIFACTS_DESTINATION": str(layout.folder / "artifacts"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # for its GenAI features
    }


def _program(name: str, *arguments: str) -> list[str]:
    """Return the command line of a program of this virtual environment."""
    return [str(Path(sys.executable).with_name(name)), *arguments]


def _create_tables(environment: Mapping[str, str]) -> None:
    """Create Dagster's tables in one process, before several processes race to."""
    subprocess.run([sys.executable, "-m", "zenith_pipelines.dagster_runtime.prepare"], env={**environment}, check=True)


def _get(url: str, body: bytes | None = None) -> bytes | None:
    """Return the body of a response with status 200, else None."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            content: bytes = response.read()
            return content
    except (OSError, urllib.error.URLError, ValueError):
        return None


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=2).close()
    except OSError:
        return False
    return True


def _daemons_are_healthy(url: str) -> bool:
    body = _get(f"{url}/graphql", json.dumps({"query": _DAEMONS}).encode())
    if body is None:
        return False
    daemons = json.loads(body)["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(daemon["healthy"] for daemon in daemons if daemon["required"])
