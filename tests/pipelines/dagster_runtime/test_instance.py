import inspect
import socket
from pathlib import Path

import pytest
import yaml

from tests import forked
from tests.waiting import PATIENCE
from zenith_core.errors import StorageUnavailable, UserError
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.dagster_runtime.prepare import prepare
from zenith_pipelines.defs.sensors import dead_run_sensor
from zenith_pipelines.settings import Settings


def open_at_once(ticker, together):
    """Open the instance at the same moment as other processes do, and add a ticker."""
    together.wait(timeout=PATIENCE)
    with open_instance(Settings()) as instance:
        instance.add_dynamic_partitions("tickers", [ticker])


def test_the_instance_is_in_home_with_the_configuration_of_the_project(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = dagster_home(Settings(zenith_home=tmp_path))

    assert home == tmp_path / "dagster"
    assert yaml.safe_load((home / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}


@pytest.mark.slow
def test_prepare_writes_the_configuration_and_the_tables_into_dagster_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "named"))
    home = prepare(Settings(zenith_home=tmp_path / "zenith"))

    assert home == tmp_path / "named"
    storage = yaml.safe_load((home / "dagster.yaml").read_text())["storage"]["custom"]["config"]
    assert storage == {"base_dir": str(home)}
    assert list(home.rglob("runs.db"))


def test_the_package_has_the_configuration_of_the_project():
    project, package = Path(__file__).parents[3], Path(inspect.getfile(prepare)).parents[1]
    for name in ("dagster.yaml", "workspace.yaml"):
        assert (package / name).read_bytes() == (project / name).read_bytes()


def test_a_run_that_never_started_is_failed_but_not_one_that_a_busy_machine_is_slow_to_start(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = dagster_home(Settings(zenith_home=tmp_path))

    monitoring = yaml.safe_load((home / "dagster.yaml").read_text())["run_monitoring"]
    assert monitoring["enabled"] is True
    assert 120 <= monitoring["start_timeout_seconds"] <= 300


def test_a_dead_run_is_looked_for_every_few_seconds():
    """With the command's own look at its start, no run is shown as started a minute after a restart."""
    assert dead_run_sensor.minimum_interval_seconds <= 10


@pytest.mark.slow
def test_opening_the_instance_creates_the_pool_of_price_sources(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(Settings(zenith_home=tmp_path)) as instance:
        assert instance.event_log_storage.get_concurrency_keys() == {"price_sources"}
        assert instance.event_log_storage.get_concurrency_info("price_sources").slot_count == 2


@pytest.mark.parametrize(
    ("database", "mlflow", "words"),
    [
        ("mysql://zenith:secret@db/dagster", None, "DATABASE_URL must look like postgresql://"),
        ("not a url", None, "DATABASE_URL must look like postgresql://"),
        ("postgresql://zenith:secret@db", None, "DATABASE_URL must look like postgresql://"),
        (
            "postgres://zenith:secret@db/zenith",
            "postgresql+psycopg://mlflow:secret@db/zenith",
            "name the same database",
        ),
        ("postgresql://zenith:secret@db/zenith", "postgresql://mlflow:secret@db:5432/zenith", "name the same database"),
    ],
)
def test_a_wrong_database_is_reported_in_one_line_without_its_password(tmp_path, monkeypatch, database, mlflow, words):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(UserError, match=words) as error:
        dagster_home(Settings(zenith_home=tmp_path, database_url=database, mlflow_tracking_uri=mlflow))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "mlflow", [None, "http://mlflow:5000", "postgresql://zenith:secret@db/mlflow", "mysql://u:p@db/mlflow"]
)
def test_the_configuration_names_the_variable_of_the_database_only(tmp_path, monkeypatch, mlflow):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = Settings(
        zenith_home=tmp_path, database_url="postgresql://zenith:secret@db/dagster", mlflow_tracking_uri=mlflow
    )

    storage = yaml.safe_load((dagster_home(settings) / "dagster.yaml").read_text())["storage"]["custom"]
    assert storage["class"] == "PostgresStorage"
    assert storage["config"] == {"postgres_url": {"env": "DATABASE_URL"}}


def test_a_database_that_does_not_answer_is_reported_in_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr("dagster_postgres.utils.time.sleep", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("DATABASE_URL", f"postgresql://zenith:secret@127.0.0.1:{port}/dagster")

    with pytest.raises(StorageUnavailable, match="does not answer: .*refused") as error:
        open_instance(Settings(zenith_home=tmp_path))
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_four_processes_open_an_empty_instance_at_once(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    together = forked.FORKED.Barrier(4)
    openers = [forked.start(open_at_once, ticker, together) for ticker in ("AAPL", "MSFT", "IBM", "GOOG")]

    for opener in openers:
        opener.join(PATIENCE)
    assert [opener.exitcode for opener in openers] == [0, 0, 0, 0]
    with open_instance(Settings()) as instance:
        assert sorted(instance.get_dynamic_partitions("tickers")) == ["AAPL", "GOOG", "IBM", "MSFT"]


def test_a_dagster_home_keeps_its_dagster_yaml_and_gets_one_if_it_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "own"))
    settings = Settings(zenith_home=tmp_path)

    path = dagster_home(settings) / "dagster.yaml"
    assert yaml.safe_load(path.read_text())["storage"]["custom"]["module"] == "zenith_pipelines.dagster_runtime.storage"

    path.write_text("telemetry: {enabled: false}\n")
    assert dagster_home(settings) == tmp_path / "own"
    assert path.read_text() == "telemetry: {enabled: false}\n"
