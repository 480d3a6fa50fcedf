"""A registry that answers with nonsense, cut short or very slowly is unavailable: no other error, no endless wait."""

import logging
import sqlite3

import pytest

from tests.serving.bad_registry import NONSENSE, SLOW, bad_registry
from tests.waiting import PATIENCE
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.registry import open_registry, rest


@pytest.fixture(scope="module")
def server():
    with bad_registry({"lstm-AAPL": [b"onnx"]}) as server:
        yield server


@pytest.fixture
def registry(server):
    yield open_registry(server.url)
    server.mode, server.damage = "ok", bytes


def test_a_sound_server_answers(registry):
    assert registry.production() == {"lstm-AAPL": 1}
    assert registry.fetch("lstm-AAPL", 1) == b"onnx"


@pytest.mark.parametrize("mode", NONSENSE)
def test_nonsense_is_a_registry_that_is_unavailable(server, registry, mode, caplog):
    server.mode = mode
    with caplog.at_level(logging.WARNING):
        for ask in (registry.production, registry.versions, lambda: registry.decisions("AAPL")):
            with pytest.raises(RegistryUnavailable):
                ask()
        with pytest.raises((RegistryUnavailable, ModelUnavailable)):
            registry.fetch("lstm-AAPL", 1)
    assert caplog.records == []


@pytest.mark.parametrize("mode", SLOW)
def test_one_byte_after_the_other_ends_with_the_deadline_of_the_whole_answer(server, registry, mode, monkeypatch):
    for name in ("LOOK_SECONDS", "FETCH_SECONDS", "LIST_SECONDS"):
        monkeypatch.setattr(rest, name, 0.2)
    server.mode = mode
    server.hung_up.clear()
    for ask in (registry.production, registry.versions, lambda: registry.fetch("lstm-AAPL", 1)):
        with pytest.raises(RegistryUnavailable, match=r"within 0.2 s"):
            ask()
    assert server.hung_up.wait(PATIENCE)


def test_a_damaged_model_file_is_refused_by_its_checksum(server, registry):
    server.damage = lambda content: content[:-1]
    with pytest.raises(ModelUnavailable, match="checksum"):
        registry.fetch("lstm-AAPL", 1)


def test_a_database_that_is_none_is_unavailable(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(RegistryUnavailable):
        open_registry(f"sqlite:///{tmp_path / 'mlflow.db'}").production()


def test_a_version_that_is_no_number_in_the_database_makes_it_unavailable(mlflow_home):
    with sqlite3.connect(mlflow_home.home / "mlflow" / "mlflow.db") as connection:
        connection.execute("UPDATE registered_model_aliases SET version = 'one'")
    connection.close()
    with pytest.raises(RegistryUnavailable, match="MLflow database gives answers that are not MLflow's"):
        open_registry(mlflow_home.uri).production()
