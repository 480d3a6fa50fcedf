"""`zenith alerts` with Apprise's own client and a server on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from zenith_pipelines.alerts import delivery


@pytest.fixture
def server():
    """A server that answers 200 to /good, and 500 to all else."""

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self):
            server.messages.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["message"])
            self.send_response(200 if self.path.startswith("/good") else 500)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Chat) as server:
        server.messages = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def table(server, tmp_path, monkeypatch):
    url = f"json://127.0.0.1:{server.server_port}"
    path = tmp_path / "alerts.toml"
    path.write_text(f"""
[[to]]
name = "desk"
url = "{url}/good/s3cret"
language = "pt"
alerts = ["promoted", "digest"]
[[to]]
name = "ops"
url = "{url}/bad/s3cret"
""")
    monkeypatch.setenv("ZENITH_ALERTS", str(path))
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.0)


def test_the_list_has_no_address(zenith, table):
    status, text, _ = zenith("alerts", "list")

    assert status == 0
    assert text.splitlines()[0] == "desk: by json in pt: promoted, digest"
    assert "s3cret" not in text
    assert [row["name"] for row in json.loads(zenith("alerts", "list", "--json")[1])] == ["desk", "ops"]


def test_a_test_reaches_one_receiver_in_its_language(zenith, table, server):
    assert zenith("alerts", "test", "desk")[:2] == (0, "desk: delivered\n")
    assert server.messages == ["Isto é um teste: desk recebe os alertas promoções, o resumo diário"]


def test_a_receiver_that_is_not_reached_is_said_without_its_address(zenith, table, server):
    status, text, errors = zenith("alerts", "test")

    assert (status, text, errors) == (1, "desk: delivered\n", "zenith: ops: not delivered: HTTP 500\n")
    assert len(server.messages) == 2 + delivery.RETRIES
    document = json.loads(zenith("alerts", "test", "ops", "--json")[1])
    assert document == [{"name": "ops", "delivered": False, "problem": "HTTP 500"}]


def test_an_unknown_receiver_and_no_table_are_one_line(zenith, table, monkeypatch):
    assert zenith("alerts", "test", "boss")[2] == "zenith: no receiver is named 'boss': there are desk, ops\n"

    monkeypatch.delenv("ZENITH_ALERTS")
    status, _, errors = zenith("alerts", "test")
    assert status == 2
    assert errors.startswith("zenith: nobody gets alerts yet: ZENITH_ALERTS names a TOML file of receivers")
