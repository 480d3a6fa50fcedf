"""The services of the stack: where each listens, what each is told, and how to know that it is ready."""

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
from zenith_cli.stack.service import Service
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.instance import write_configuration
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.settings import Settings

SERVICES = ("api", "dagster", "mlflow", "postgres", "redis", "code")  # the order of their ports, from the base on
_LAST_BASE = 65_535 - len(SERVICES) + 1
_DAEMONS = "{instance{daemonHealth{allDaemonStatuses{healthy required}}}}"


@dataclass(frozen=True)
class Layout:
    """Everything the stack needs to know: its folder and its ports."""

    home: Path
    port_base: int

    @property
    def folder(self) -> Path:
        """Where the stack keeps what is its own."""
        return self.home / "stack"

    def port(self, service: str) -> int:
        """The port that a service listens on."""
        return self.port_base + SERVICES.index(service)

    def url(self, service: str) -> str:
        """The address of a service that speaks HTTP."""
        return f"http://{HOST}:{self.port(service)}"

    @property
    def environment(self) -> dict[str, str]:
        """What every part of Zenith must be told to work on the stack; passwords are in it."""
        return {
            "ZENITH_HOME": str(self.home),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "DATABASE_URL": postgres_url(self.folder, self.port("postgres"), "dagster"),
            "MLFLOW_TRACKING_URI": self.url("mlflow"),
            "REDIS_URL": redis_url(self.folder, self.port("redis")),
            "DAGSTER_URL": self.url("dagster"),
        }

    def require_free_ports(self) -> None:
        """Raise UserError that names the first service whose port is taken."""
        if not 1024 <= self.port_base <= _LAST_BASE:
            raise UserError(f"--port-base is a port from 1024 to {_LAST_BASE}")
        for service in SERVICES:
            try:
                socket.create_server((HOST, self.port(service))).close()
            except OSError:
                raise UserError(
                    f"port {self.port(service)}, which {service} needs, is busy: stop what listens there, "
                    "or move all ports with --port-base"
                ) from None


def prepare(layout: Layout) -> None:
    """Make the folder, with what Dagster is to know, and `stack.env` for other terminals."""
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
    """All services. Raises UserError if PostgreSQL or Redis is not installed or cannot run here."""
    told = layout.environment
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
            environment=_mlflow(layout),
            needs=("postgres",),
            is_ready=lambda: _get(f"{layout.url('mlflow')}/health") is not None,
        ),
        Service(
            name="code",
            command=_program("dagster", *code, "--location-name", "zenith"),
            environment=told,
            needs=("postgres",),
            prepare=lambda: _make_tables(told),
            is_ready=lambda: _listens(layout.port("code")),
        ),
        Service(
            name="dagster",
            command=_program("dagster-webserver", *web),
            environment=told,
            needs=("code",),
            is_ready=lambda: _get(f"{layout.url('dagster')}/server_info") is not None,
        ),
        Service(
            name="daemon",
            command=_program("dagster-daemon", "run", *workspace, "--log-level", "warning"),
            environment=told,
            needs=("dagster", "mlflow"),
            is_ready=lambda: _daemons_are_well(layout.url("dagster")),
        ),
        Service(
            name="api",
            command=_program("zenith", "serve", "--host", HOST, "--port", str(layout.port("api"))),
            environment=told,
            needs=("mlflow", "redis"),
            is_ready=lambda: _get(f"{layout.url('api')}/health") is not None,
        ),
    ]


def _mlflow(layout: Layout) -> Mapping[str, str]:
    """By the environment and not as arguments, which everybody can read: there is a password in it."""
    return {
        "MLFLOW_BACKEND_STORE_URI": postgres_url(layout.folder, layout.port("postgres"), "mlflow"),
        "MLFLOW_ARTIFACTS_DESTINATION": str(layout.folder / "artifacts"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # for its GenAI features
    }


def _program(name: str, *arguments: str) -> list[str]:
    """A program of this environment."""
    return [str(Path(sys.executable).with_name(name)), *arguments]


def _make_tables(environment: Mapping[str, str]) -> None:
    """Let one process make Dagster's tables before several meet on them."""
    subprocess.run([sys.executable, "-m", "zenith_pipelines.dagster_runtime.prepare"], env={**environment}, check=True)


def _get(url: str, body: bytes | None = None) -> bytes | None:
    """What answers with status 200."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except (OSError, urllib.error.URLError, ValueError):
        return None


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=2).close()
    except OSError:
        return False
    return True


def _daemons_are_well(url: str) -> bool:
    answer = _get(f"{url}/graphql", json.dumps({"query": _DAEMONS}).encode())
    if answer is None:
        return False
    daemons = json.loads(answer)["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(daemon["healthy"] for daemon in daemons if daemon["required"])
