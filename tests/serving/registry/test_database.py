import hashlib
import json
import sqlite3
from contextlib import closing

import pytest

from tests.half_transactions import leave_half_a_transaction
from zenith_serving.errors import ModelUnavailable, NoRegistry, RegistryUnavailable
from zenith_serving.registry import open_registry
from zenith_serving.registry.database import DatabaseRegistry


def test_production_versions_are_read_from_the_database_mlflow_wrote(mlflow_home, models):
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL"))
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL"), promote=False)
    production = open_registry(mlflow_home.uri).production()
    assert production == {"ensemble-AAPL": 1, "ensemble-MSFT": 1, "lstm-AAPL": 2, "lstm-MSFT": 1}


def test_an_sqlite_file_is_read_again_only_after_a_commit(mlflow_home, models, monkeypatch):
    registry, queries = DatabaseRegistry(mlflow_home.uri), []
    rows = registry._rows
    monkeypatch.setattr(registry, "_rows", lambda query, **values: queries.append(query) or rows(query, **values))

    before = registry.production()
    assert registry.production() == before
    assert len(queries) == 1
    version = mlflow_home.register("lstm-AAPL", models.lstm("AAPL"))
    assert registry.production() == {**before, "lstm-AAPL": version}
    assert len(queries) == 2


def test_a_write_ahead_log_means_that_the_database_is_read_each_time(mlflow_home, monkeypatch):
    registry = DatabaseRegistry(mlflow_home.uri)
    path = mlflow_home.uri.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE registered_model_aliases SET version = 7 WHERE name = 'lstm-AAPL'")
        assert registry.production()["lstm-AAPL"] == 1
        connection.commit()
        assert registry.production()["lstm-AAPL"] == 7


def test_the_model_file_is_found_through_the_database(mlflow_home, models):
    onnx = models.lstm("PETR4.SA", growth=1.02)
    version = mlflow_home.register("lstm-PETR4.SA", onnx)
    assert open_registry(mlflow_home.uri).fetch("lstm-PETR4.SA", version) == onnx


def test_a_missing_version_raises_model_unavailable(mlflow_home):
    with pytest.raises(ModelUnavailable):
        open_registry(mlflow_home.uri).fetch("lstm-AAPL", 99)


def test_a_transaction_that_was_killed_is_undone(mlflow_home):
    before = DatabaseRegistry(mlflow_home.uri).production()
    leave_half_a_transaction(mlflow_home.home / "mlflow" / "mlflow.db")

    assert DatabaseRegistry(mlflow_home.uri).production() == before != {}


def test_without_a_database_the_lists_are_empty_and_nothing_is_created(tmp_path):
    registry = DatabaseRegistry(f"sqlite:///{tmp_path}/none.db")

    with pytest.raises(NoRegistry, match="no MLflow database yet"):
        registry.production()
    assert (registry.names(), registry.versions(), registry.decisions()) == ([], [], {})
    with pytest.raises(ModelUnavailable):
        registry.fetch("lstm-AAPL", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_home_where_a_command_took_a_lock_has_lost_no_database(tmp_path):
    (tmp_path / "artifacts" / ".locks").mkdir(parents=True)

    assert DatabaseRegistry(f"sqlite:///{tmp_path}/mlflow.db").versions() == []


def test_a_database_that_is_gone_is_no_empty_list(tmp_path):
    (tmp_path / "artifacts" / "1").mkdir(parents=True)

    with pytest.raises(RegistryUnavailable, match="is gone: restore it"):
        DatabaseRegistry(f"sqlite:///{tmp_path}/mlflow.db").versions()


@pytest.mark.parametrize(("content", "reason"), [(b"no database" * 99, "damaged"), (b"", "no database of MLflow")])
def test_the_reason_why_a_database_cannot_be_read_is_said(tmp_path, content, reason):
    (tmp_path / "mlflow.db").write_bytes(content)

    with pytest.raises(RegistryUnavailable, match=f"cannot be read: .*{reason}"):
        DatabaseRegistry(f"sqlite:///{tmp_path}/mlflow.db").versions()


def test_a_database_in_a_folder_with_special_characters_is_found(trained_home, tmp_path):
    folder = tmp_path / "a b é+"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes((trained_home / "mlflow" / "mlflow.db").read_bytes())
    assert len(open_registry(f"sqlite:///{folder}/mlflow.db").production()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["provenance", "sha256"])  # of this release, and of earlier ones
def test_a_model_file_with_a_wrong_checksum_is_refused(mlflow_home, models, tag):
    onnx = models.lstm("IBM")
    for checksum in (hashlib.sha256(onnx).hexdigest(), "0" * 64):
        version = mlflow_home.register("lstm-IBM", onnx)
        value = checksum if tag == "sha256" else json.dumps({"sha256": checksum})
        mlflow_home.client.set_model_version_tag("lstm-IBM", str(version), tag, value)
    registry = open_registry(mlflow_home.uri)
    assert registry.fetch("lstm-IBM", 1) == onnx
    with pytest.raises(ModelUnavailable, match="does not match its checksum"):
        registry.fetch("lstm-IBM", 2)
