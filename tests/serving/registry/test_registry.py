import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from zenith_core.errors import UserError
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.registry.base import DatabaseRegistry, RestRegistry, open_registry, read_artifact


def test_a_database_tells_the_versions_in_production_that_mlflow_wrote(mlflow_home, models):
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL"))
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL"), promote=False)
    production = open_registry(mlflow_home.uri).production()
    assert production == {"ensemble-AAPL": 1, "ensemble-MSFT": 1, "lstm-AAPL": 2, "lstm-MSFT": 1}


def test_a_database_leads_to_the_model_file(mlflow_home, models):
    onnx = models.lstm("PETR4.SA", growth=1.02)
    version = mlflow_home.register("lstm-PETR4.SA", onnx)
    assert open_registry(mlflow_home.uri).fetch("lstm-PETR4.SA", version) == onnx


def test_a_version_that_does_not_exist_is_said_to_be_missing(mlflow_home):
    with pytest.raises(ModelUnavailable):
        open_registry(mlflow_home.uri).fetch("lstm-AAPL", 99)


def test_a_database_that_is_not_there_is_away_and_is_not_made(tmp_path):
    with pytest.raises(RegistryUnavailable, match="database cannot be read"):
        DatabaseRegistry(f"sqlite:///{tmp_path}/none.db").production()
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_a_folder_with_odd_characters_is_found(trained_home, tmp_path):
    folder = tmp_path / "a b é+"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes((trained_home / "mlflow" / "mlflow.db").read_bytes())
    assert len(open_registry(f"sqlite:///{folder}/mlflow.db").production()) == 4


@pytest.mark.parametrize("uri", ["file:///mlruns", "/mlruns", "databricks", "ftp://host"])
def test_other_kinds_of_tracking_uri_are_refused_by_name(uri):
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI must be"):
        open_registry(uri)


def test_artifacts_are_read_by_path_file_uri_or_fsspec(tmp_path):
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"onnx")
    import fsspec

    fsspec.filesystem("memory").pipe_file("/models/1/model.onnx", b"object store")
    assert read_artifact(str(folder)) == b"onnx"
    assert read_artifact(folder.as_uri()) == b"onnx"
    assert read_artifact("memory://models/1") == b"object store"


def test_an_artifact_that_is_gone_or_out_of_reach_is_told_apart(tmp_path):
    with pytest.raises(ModelUnavailable, match="gone"):
        read_artifact(str(tmp_path))
    with pytest.raises(RegistryUnavailable, match="cannot be read from here"):
        read_artifact("nosuchscheme://bucket/model")


def test_a_file_that_does_not_match_the_checksum_of_its_version_is_refused(mlflow_home, models):
    onnx = models.lstm("IBM")
    for checksum in (hashlib.sha256(onnx).hexdigest(), "0" * 64):
        version = mlflow_home.register("lstm-IBM", onnx)
        mlflow_home.client.set_model_version_tag("lstm-IBM", str(version), "sha256", checksum)
    registry = open_registry(mlflow_home.uri)
    assert registry.fetch("lstm-IBM", 1) == onnx
    with pytest.raises(ModelUnavailable, match="does not match its checksum"):
        registry.fetch("lstm-IBM", 2)


class _MLflowServer(BaseHTTPRequestHandler):
    """What an MLflow 3.17 server answered, in short."""

    pages: ClassVar = {
        "": {
            "registered_models": [
                {"name": "lstm-AAPL", "aliases": [{"alias": "Production", "version": "7"}]},
                {"name": "lstm-MSFT", "aliases": [{"alias": "Candidate", "version": "2"}]},
            ],
            "next_page_token": "more",
        },
        "more": {
            "registered_models": [{"name": "ensemble-AAPL", "aliases": [{"alias": "Production", "version": "3"}]}]
        },
    }

    def do_GET(self):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.server.seen.append(self.headers.get("Authorization"))
        if url.path == "/mlflow/api/2.0/mlflow/registered-models/search":
            self.answer(json.dumps(self.pages[query.get("page_token", "")]).encode())
        elif url.path.endswith("model-versions/get") and query == {"name": "lstm-AAPL", "version": "7"}:
            tags = [{"key": "kind", "value": "lstm"}, {"key": "sha256", "value": self.server.checksum}]
            self.answer(json.dumps({"model_version": {"tags": tags}}).encode())
        elif query == {"name": "lstm-AAPL", "version": "7"}:
            self.answer(json.dumps({"artifact_uri": "mlflow-artifacts:/1/models/m-1/artifacts"}).encode())
        elif url.path == "/mlflow/api/2.0/mlflow-artifacts/artifacts/1/models/m-1/artifacts/model.onnx":
            self.answer(b"onnx")
        else:
            self.answer(b"{}", {"99": 500, "41": 401}.get(query.get("version"), 404))

    def answer(self, content, status=200):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def mlflow_server():
    with HTTPServer(("127.0.0.1", 0), _MLflowServer) as server:
        server.seen, server.checksum = [], hashlib.sha256(b"onnx").hexdigest()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def rest(mlflow_server):
    return open_registry(f"http://127.0.0.1:{mlflow_server.server_port}/mlflow/")


def test_a_server_tells_the_versions_in_production_over_all_pages(rest):
    assert rest.production() == {"lstm-AAPL": 7, "ensemble-AAPL": 3}


def test_a_server_hands_out_the_model_file_it_keeps(rest):
    assert rest.fetch("lstm-AAPL", 7) == b"onnx"


def test_a_file_of_a_server_s_is_checked_as_well(rest, mlflow_server):
    mlflow_server.checksum = "0" * 64
    with pytest.raises(ModelUnavailable, match="does not match its checksum"):
        rest.fetch("lstm-AAPL", 7)


def test_a_server_s_errors_are_told_apart(rest):
    with pytest.raises(ModelUnavailable):
        rest.fetch("lstm-AAPL", 8)
    with pytest.raises(RegistryUnavailable, match="status 500"):
        rest.fetch("lstm-AAPL", 99)
    with pytest.raises(RegistryUnavailable, match="refuses MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        rest.fetch("lstm-AAPL", 41)


def test_a_server_that_is_down_is_away():
    with pytest.raises(RegistryUnavailable, match="cannot be reached"):
        RestRegistry("http://127.0.0.1:1").production()


def test_mlflow_s_own_credentials_are_sent(rest, mlflow_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "zenith")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    rest.production()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    rest.production()
    assert mlflow_server.seen[0] == "Basic emVuaXRoOnNlY3JldA=="
    assert mlflow_server.seen[-1] == "Bearer token"
