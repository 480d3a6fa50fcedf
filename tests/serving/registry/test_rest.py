import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.registry import open_registry
from zenith_serving.registry.rest import RestRegistry


class _MLflowServer(BaseHTTPRequestHandler):
    """Shortened responses of an MLflow 3.17 server."""

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
        self.server.authorizations.append(self.headers.get("Authorization"))
        if url.path == "/mlflow/api/2.0/mlflow/registered-models/search":
            self.answer(json.dumps(self.pages[query.get("page_token", "")]).encode())
        elif url.path.endswith("model-versions/get") and query == {"name": "lstm-AAPL", "version": "7"}:
            provenance = json.dumps({"sha256": self.server.checksum})
            tags = [{"key": "kind", "value": "lstm"}, {"key": "provenance", "value": provenance}]
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
        server.authorizations, server.checksum = [], hashlib.sha256(b"onnx").hexdigest()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def rest(mlflow_server):
    return open_registry(f"http://127.0.0.1:{mlflow_server.server_port}/mlflow/")


def test_production_versions_are_read_from_all_pages(rest):
    assert rest.production() == {"lstm-AAPL": 7, "ensemble-AAPL": 3}


def test_the_model_file_is_downloaded_from_the_server(rest):
    assert rest.fetch("lstm-AAPL", 7) == b"onnx"


def test_a_downloaded_file_with_a_wrong_checksum_is_refused(rest, mlflow_server):
    mlflow_server.checksum = "0" * 64
    with pytest.raises(ModelUnavailable, match="does not match its checksum"):
        rest.fetch("lstm-AAPL", 7)


def test_http_errors_raise_different_errors(rest):
    with pytest.raises(ModelUnavailable):
        rest.fetch("lstm-AAPL", 8)
    with pytest.raises(RegistryUnavailable, match="status 500"):
        rest.fetch("lstm-AAPL", 99)
    with pytest.raises(RegistryUnavailable, match="refuses MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        rest.fetch("lstm-AAPL", 41)


def test_a_server_that_is_down_is_unavailable():
    with pytest.raises(RegistryUnavailable, match="cannot be reached"):
        RestRegistry("http://127.0.0.1:1").production()


def test_the_credentials_of_mlflow_are_sent(rest, mlflow_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "zenith")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    rest.production()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    rest.production()
    assert mlflow_server.authorizations[0] == "Basic emVuaXRoOnNlY3JldA=="
    assert mlflow_server.authorizations[-1] == "Bearer token"
