"""Services of the stack: their ports, environment and readiness checks."""

import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from zenith_cli.stack.dagster import DagsterServers, program
from zenith_cli.stack.probes import fetch, listens
from zenith_cli.stack.servers import HOST, postgres, postgres_url, redis, redis_url
from zenith_cli.stack.supervisor import Service
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.instance import write_configuration
from zenith_pipelines.registry.artifact_locations import make_relative
from zenith_pipelines.settings import Settings

SERVICES = ("api", "dagster", "mlflow", "postgres", "redis", "code")  # in the order of their ports
_LOCK_SECONDS = 60  # that MLflow waits for another process's lock of SQLite
_LAST_BASE = 65_535 - len(SERVICES) + 1


@dataclass(frozen=True)
class Layout:
    """Folder and ports of the stack."""

    home: Path
    port_base: int

    @property
    def folder(self) -> Path:
        """The folder for the stack's own files."""
        return self.home / "stack"

    @property
    def has_own_models(self) -> bool:
        """True for a stack of an earlier version that has trained: its models stay in its PostgreSQL."""
        return any((self.folder / "artifacts").glob("*"))

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
            "ZENITH_PAGE_URL": self.url("api"),
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
    """Create Dagster's configuration and `stack.env` for other terminals, and convert the models of an older home."""
    dagster_home = layout.folder / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True, mode=0o711)
    settings = Settings(
        zenith_home=layout.home,
        database_url=SecretStr(layout.environment["DATABASE_URL"]),
        mlflow_tracking_uri=layout.environment["MLFLOW_TRACKING_URI"],
    )
    write_configuration(settings, dagster_home)
    home = _without_stack(layout)
    home.artifact_root.mkdir(parents=True, exist_ok=True)
    make_relative(home.tracking_uri, home.artifact_root)
    dagster_servers(layout).write_workspace({"host": HOST, "port": layout.port("code")})
    lines = "".join(f"export {name}='{value}'\n" for name, value in layout.environment.items())
    variables = layout.folder / "stack.env"
    variables.touch(mode=0o600)
    variables.write_text(lines)


def _without_stack(layout: Layout) -> Settings:
    return Settings(zenith_home=layout.home, database_url=None, mlflow_tracking_uri=None)


def dagster_servers(layout: Layout) -> DagsterServers:
    """Return the stack's Dagster processes."""
    return DagsterServers(
        workspace=layout.folder / "workspace.yaml",
        code_options=("-h", HOST, "-p", str(layout.port("code"))),
        host=HOST,
        port=layout.port("dagster"),
        environment=layout.environment,
    )


def services(layout: Layout) -> list[Service]:
    """Return all services. Raises UserError if PostgreSQL or Redis is not installed or cannot run here."""
    environment = layout.environment
    dagster = dagster_servers(layout)
    mlflow = ["--host", HOST, "--port", str(layout.port("mlflow"))]
    return [
        postgres(layout.folder, layout.port("postgres")),
        redis(layout.folder, layout.port("redis")),
        Service(
            name="mlflow",
            command=program("mlflow", "server", *mlflow, "--workers", "1", "--uvicorn-opts", "--log-level warning"),
            environment=_mlflow_environment(layout),
            needs=("postgres",),
            is_ready=lambda: fetch(f"{layout.url('mlflow')}/health") is not None,
        ),
        dagster.code(
            is_ready=lambda: listens((HOST, layout.port("code"))),
            prepare=lambda: _create_tables(environment),
            needs=("postgres",),
        ),
        dagster.webserver(),
        dagster.daemon(needs=("dagster", "mlflow")),
        Service(
            name="api",
            command=program("zenith", "serve", "--host", HOST, "--port", str(layout.port("api"))),
            environment=environment,
            needs=("mlflow", "redis"),
            is_ready=lambda: fetch(f"{layout.url('api')}/health") is not None,
        ),
    ]


def _mlflow_environment(layout: Layout) -> Mapping[str, str]:
    """Return settings that may have a password, so they are no arguments: every user can read those.

    The server shares the home's models with commands that run without the stack (docs/decisions/0044).
    """
    home = _without_stack(layout)
    if layout.has_own_models:
        store, artifacts = postgres_url(layout.folder, layout.port("postgres"), "mlflow"), layout.folder / "artifacts"
    else:
        store, artifacts = f"{home.tracking_uri}?timeout={_LOCK_SECONDS}", home.artifact_root
    return {
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_ARTIFACTS_DESTINATION": str(artifacts),
        # By default MLflow accepts names such as 10.evil.example, which a web page may lead here.
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{layout.port('mlflow')},localhost:{layout.port('mlflow')}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # for its GenAI features
    }


def _create_tables(environment: Mapping[str, str]) -> None:
    """Create Dagster's tables in one process, before several processes race to; take over the home's tickers."""
    command = [sys.executable, "-m", "zenith_pipelines.dagster_runtime.take_over"]
    subprocess.run(command, env={**environment}, check=True)
