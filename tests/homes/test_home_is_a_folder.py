"""A home is a folder: it can be copied, moved and restored, and touches nothing outside itself."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

import zenith_serving.server
from tests.empty_databases import put_dagster_databases, put_mlflow_database
from tests.half_transactions import leave_half_a_transaction
from tests.homes.older import ARCHIVES, contents, rows, unpack
from tests.pipelines.synthetic_models import market, register_version
from zenith_cli.commands import app
from zenith_core.errors import StorageUnavailable
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.registry.artifact_locations import locations_outside, make_relative, open_repository
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up
from zenith_pipelines.settings import Settings
from zenith_serving.registry import open_registry

pytestmark = pytest.mark.slow  # databases of Dagster and MLflow of their own

KILLED = """
import os, signal, sys
from pathlib import Path
from zenith_pipelines.registry import artifact_locations

connect = artifact_locations._connect

def connect_and_die(*arguments):
    connection = connect(*arguments)
    def die(statement):
        if statement.startswith(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    connection.set_trace_callback(die)
    return connection

artifact_locations._connect = connect_and_die
folder = Path(sys.argv[1])
artifact_locations.make_relative(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A home as version 0.1.0 left it. Not to be changed."""
    return unpack(ARCHIVES[0], tmp_path_factory.mktemp("archived")) / "home"


@pytest.fixture
def older(archive, tmp_path):
    """A copy of it, beside the original that its database names."""
    return shutil.copytree(archive, tmp_path / "copy")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A home with two versions of a model, the first one in Production."""
    home = tmp_path_factory.mktemp("original") / "home"
    put_mlflow_database(home / "mlflow")
    registry = registry_of(home)
    for _ in range(2):
        register_version(registry, "lstm", "TEST", market())
    registry.promote("lstm-TEST", 1)
    return home


def registry_of(home):
    settings = Settings(zenith_home=home, mlflow_tracking_uri=None)
    return ModelRegistry(settings.tracking_uri, settings.artifact_root)


def uri_of(home):
    return f"sqlite:///{home}/mlflow/mlflow.db"


def make_home_relative(home, **options):
    make_relative(uri_of(home), home / "mlflow" / "artifacts", **options)


def test_a_copy_changes_nothing_in_the_original(original, tmp_path):
    before, copy = contents(original), shutil.copytree(original, tmp_path / "copy")
    assert registry_of(original).load("lstm-TEST", 2)  # MLflow's client would remember where this run's files are
    registry = registry_of(copy)

    registry.log_files("lstm-TEST", 2, {"report.html": b"of the copy"})
    register_version(registry, "lstm", "TEST", market())
    clean_up(registry, RetentionRules(keep_latest_n=0, keep_best=False), removed_tickers={"TEST"})

    assert contents(original) == before
    assert registry.names() == []
    assert not list((copy / "mlflow" / "artifacts").rglob("*.onnx"))


def test_a_moved_home_keeps_its_models(original, tmp_path):
    copy = shutil.copytree(original, tmp_path / "copy")
    onnx = registry_of(copy).load("lstm-TEST", 1)
    new_place = copy.rename(tmp_path / "a place with spaces, 100% elsewhere")

    assert registry_of(new_place).load("lstm-TEST", 1) == onnx
    assert registry_of(new_place).file("lstm-TEST", 1, "evidence.parquet")
    assert open_registry(uri_of(new_place)).fetch("lstm-TEST", 1) == onnx


def test_no_text_in_the_database_of_a_new_home_is_an_absolute_path(original):
    assert locations_outside(uri_of(original)) == []
    assert not [row for row in rows(original / "mlflow" / "mlflow.db") if "'/" in row or "file:" in row]


def test_mlflow_s_own_tools_find_the_files_of_a_home(original):
    """As MLflow calls it for mlflow.onnx.load_model; a server's artifacts stay with the server."""
    source = registry_of(original).client.get_model_version("lstm-TEST", "1").source

    assert {"model.onnx"} <= {file.path for file in open_repository(source, uri_of(original)).list_artifacts()}
    assert open_repository(source, "http://127.0.0.1:1").artifact_uri.startswith("http://127.0.0.1:1/")


def test_a_location_cannot_lead_out_of_the_home(original):
    with pytest.raises(ValueError, match="leads out of the artifacts"):
        open_repository("mlflow-artifacts:/../../elsewhere", uri_of(original))


def test_an_older_home_is_made_relative_in_place(archive, older):
    before = contents(archive)
    registry = registry_of(older)
    versions = [version for name in registry.names() for version in registry.versions(name)]

    assert len(versions) == 4
    assert not [row for row in rows(older / "mlflow" / "mlflow.db") if str(archive.parent) in row]
    for version in versions:
        assert registry.load(version.name, version.version)
        assert registry.file(version.name, version.version, "facts.json")
        registry.log_files(version.name, version.version, {"facts.json": b"changed"})
    assert contents(archive) == before


def test_what_an_older_copy_wrote_into_the_original_comes_along(archive, older):
    with closing(sqlite3.connect(older / "mlflow" / "mlflow.db")) as database:
        ((source,),) = database.execute("SELECT source FROM model_versions WHERE name = 'lstm-AAPL' AND version = 2")
    place = source.rpartition("mlflow/artifacts/")[2]
    shutil.rmtree(older / "mlflow" / "artifacts" / place)

    make_home_relative(older)

    assert contents(older / "mlflow" / "artifacts" / place) == contents(archive / "mlflow" / "artifacts" / place)
    assert registry_of(older).load("lstm-AAPL", 2)


@pytest.mark.parametrize("statement", ["UPDATE runs", "UPDATE experiments SET artifact_location = 'mlflow", "COMMIT"])
def test_a_killed_migration_leaves_the_home_as_it_was(older, statement):
    before = rows(older / "mlflow" / "mlflow.db")

    process = subprocess.run([sys.executable, "-c", KILLED, older / "mlflow", statement], check=False)

    assert process.returncode == -signal.SIGKILL
    assert rows(older / "mlflow" / "mlflow.db") == before
    make_home_relative(older)
    assert registry_of(older).load("lstm-AAPL", 2)


def test_a_home_whose_database_was_left_in_a_transaction_is_migrated(older):
    database = older / "mlflow" / "mlflow.db"
    before = locations_outside(uri_of(older))
    leave_half_a_transaction(database)

    assert locations_outside(uri_of(older)) == before != []
    leave_half_a_transaction(database)
    make_home_relative(older)

    assert registry_of(older).load("lstm-AAPL", 2)


def test_a_failed_migration_says_so_and_leaves_the_home_as_it_was(older):
    before = contents(older)
    with closing(sqlite3.connect(older / "mlflow" / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="cannot be made relative: database is locked"):
            make_home_relative(older, wait_seconds=0)
        other.execute("ROLLBACK")

    assert contents(older) == before


def test_processes_that_open_an_older_home_at_once_migrate_it_once(older):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: make_home_relative(older), range(4)))

    assert registry_of(older).load("ensemble-AAPL", 1)


@pytest.mark.parametrize("command", [["serve"], ["predict", "AAPL"]])
def test_commands_that_only_read_convert_an_older_home_too(older, monkeypatch, command):
    for name in ("MLFLOW_TRACKING_URI", "ZENITH_DATA_URI", "MODELS_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(older))
    monkeypatch.setattr(zenith_serving.server, "serve", lambda *_: None)

    app(command, standalone_mode=False)

    assert locations_outside(uri_of(older)) == []


def test_a_store_of_mlflow_tracking_uri_keeps_its_locations(older, tmp_path):
    before = rows(older / "mlflow" / "mlflow.db")

    make_relative(uri_of(older), tmp_path / "elsewhere" / "artifacts")

    assert rows(older / "mlflow" / "mlflow.db") == before


def test_a_copied_dagster_configuration_does_not_lead_into_the_original(tmp_path, monkeypatch):
    """Dagster's own commands read dagster.yaml, with the folder of the original, before anything of Zenith."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path / "original")
    with open_instance(Settings(zenith_home=tmp_path / "original")) as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL"])
    before, copy = contents(tmp_path / "original"), shutil.copytree(tmp_path / "original", tmp_path / "copy")

    monkeypatch.setenv("DAGSTER_HOME", str(copy / "dagster"))
    with open_instance(Settings(zenith_home=copy)) as instance:
        instance.add_dynamic_partitions("tickers", ["MSFT"])

    assert contents(tmp_path / "original") == before
