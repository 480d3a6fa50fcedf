"""Delivery of alerts: to the log, to a webhook, and by Apprise's own client to receivers, all on loopback."""

import json
import logging
import socket
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import get_args

import pytest

from zenith_core.errors import UserError
from zenith_core.names import ALERTS, ALL_TICKERS
from zenith_core.words import Text, texts
from zenith_pipelines.alert_receivers import Kind, Receiver, read_receivers
from zenith_pipelines.alerts import delivery
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.alerts.delivery import MOST_LINES, deliver, message_of, send_alerts
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.settings import Settings

SUBJECT = Text("alert.job", {"job": "refresh_prices", "ticker": "AAPL"})
FAILURE = Text("alert.run_failed", {"subject": SUBJECT, "reason": "no such file"})
ALERT = Alert("run_failed", FAILURE, {"ticker": "AAPL"})
GATES = (Text("gate.name.loss"), Text("gate.name.coverage"))
REFUSED = Alert("refused", Text("alert.refused.gates", {"subject": "AAPL", "version": "3", "gates": GATES}))
LOG = logging.getLogger("test")


@pytest.fixture
def webhook():
    """A server that records the posted documents, and answers with `status`."""

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            server.failures -= 1
            self.send_response(503 if server.failures >= 0 else server.status)
            if server.status == 302:
                self.send_header("location", f"http://127.0.0.1:{server.server_port}/elsewhere")
            self.end_headers()

        def do_GET(self):
            bodies.append("followed")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    bodies = []
    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        server.status, server.bodies, server.failures = 200, bodies, 0
        server.url = f"http://127.0.0.1:{server.server_port}/services/s3cret"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_alert_is_posted_as_json(webhook):
    send_alerts([ALERT], Settings(zenith_alert_webhook=webhook.url), LOG)

    (body,) = webhook.bodies
    assert datetime.fromisoformat(body.pop("at")).tzinfo is not None
    assert body == {"kind": "run_failed", "text": ALERT.text.spoken(), "ticker": "AAPL"}


def test_without_a_webhook_the_alert_is_only_logged(caplog):
    send_alerts([ALERT], Settings(zenith_alert_webhook=None), LOG)

    assert caplog.messages == ["run_failed: refresh_prices for AAPL failed: no such file"]


def test_an_alert_is_recorded_for_the_table_of_all_tickers(tmp_path):
    send_alerts([ALERT], Settings(zenith_data_uri=str(tmp_path)), LOG)

    assert list(DatasetStore(str(tmp_path)).facts(ALERTS, ALL_TICKERS)["AAPL"]) == ["run_failed"]


def test_an_alert_that_cannot_be_recorded_is_sent_nevertheless(webhook, tmp_path, caplog):
    (tmp_path / "file").write_text("")

    send_alerts([ALERT], Settings(zenith_data_uri=f"{tmp_path}/file/x", zenith_alert_webhook=webhook.url), LOG)

    assert len(webhook.bodies) == 1
    assert "not recorded for the table of all tickers" in caplog.messages[-1]


def test_a_refusal_of_the_webhook_is_logged_without_its_address(webhook, caplog):
    webhook.status = 500

    send_alerts([ALERT], Settings(zenith_alert_webhook=webhook.url), LOG)

    assert caplog.messages[1] == "the alert was not delivered to ZENITH_ALERT_WEBHOOK: HTTP 500"
    assert "s3cret" not in caplog.text


def test_a_redirect_of_the_webhook_is_not_followed(webhook, caplog):
    webhook.status = 302

    send_alerts([ALERT], Settings(zenith_alert_webhook=webhook.url), LOG)

    assert len(webhook.bodies) == 1
    assert "not delivered to ZENITH_ALERT_WEBHOOK: HTTP 302" in caplog.text


def test_a_webhook_that_hangs_or_does_not_exist_raises_nothing(caplog, monkeypatch):
    monkeypatch.setattr(delivery, "TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        send_alerts([ALERT], Settings(zenith_alert_webhook=f"http://127.0.0.1:{port}/s3cret"), LOG)
    send_alerts([ALERT], Settings(zenith_alert_webhook=f"http://127.0.0.1:{port}/s3cret"), LOG)
    send_alerts([ALERT], Settings(zenith_alert_webhook="http://127.0.0.1:port/s3cret"), LOG)

    failures = [message.rpartition(": ")[2] for message in caplog.messages[1::2]]
    assert failures == ["TimeoutError", "URLError", "InvalidURL"]
    assert "s3cret" not in caplog.text


def test_a_webhook_is_an_http_address():
    with pytest.raises(UserError, match="^ZENITH_ALERT_WEBHOOK is not an http:// or https:// address$"):
        Settings(zenith_alert_webhook="file:///etc/passwd")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.0)


@pytest.fixture
def table(tmp_path, webhook):
    """Write a table of receivers: rows of TOML, in which URL is the server on loopback."""

    def write(*rows):
        url = f"json://127.0.0.1:{webhook.server_port}/s3cret"
        path = tmp_path / "alerts.toml"
        path.write_text("\n".join(f"[[to]]\n{row.replace('URL', url)}" for row in rows))
        return Settings(zenith_alerts=path)

    return write


def test_each_receiver_gets_the_kinds_of_its_row_in_its_language_as_one_message(table, webhook):
    settings = table(
        'name = "desk"\nurl = "URL/desk"\nalerts = ["refused", "run_failed"]\nlanguage = "pt"',
        'name = "ops"\nurl = "URL/ops"\nalerts = ["run_failed"]',
        'name = "boss"\nurl = "URL/boss"\nalerts = ["digest"]',
    )

    send_alerts([ALERT, REFUSED], settings, LOG)

    messages = sorted((body["title"], body["message"]) for body in webhook.bodies)
    assert messages == [
        ("Zenith: run failed", "refresh_prices for AAPL failed: no such file"),
        (
            "Zenith: vários alertas",
            "refresh_prices de AAPL falhou: no such file\n"
            "AAPL: a versão 3 foi recusada. Não passou em: perda, cobertura",
        ),
    ]


MODEL = Text("alert.model", {"ticker": "AAPL", "model": Text("model.lstm")})
OF_KIND = {
    "promoted": Text("alert.promoted", {"subject": MODEL, "version": "3", "by": "ann", "reason": "perda: -2 %"}),
    "refused": REFUSED.text,
    "rolled_back": Text("alert.rolled_back", {"subject": MODEL, "version": "2", "by": "ann", "reason": "a surpresa"}),
    "retraining": Text("alert.retraining", {"ticker": "AAPL", "reason": "45/60"}),
    "run_failed": FAILURE,
    "stale_prices": Text("alert.stale_prices", {"ticker": "AAPL", "n": 7, "last": "2026-11-20"}),
    "disk_space": Text("alert.disk_space", {"free": 0.5, "needed": 1200.0}),
    "digest": Text("digest.title", {"date": "2026-11-30", "promoted": 1, "refused": 0, "rolled_back": 0}),
}


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_reaches_the_receiver_that_asks_for_it_in_its_language(table, webhook, kind):
    others = [one for one in get_args(Kind) if one != kind]
    settings = table(
        f'name = "desk"\nurl = "URL/desk"\nalerts = ["{kind}"]\nlanguage = "pt"',
        f'name = "ops"\nurl = "URL/ops"\nalerts = {json.dumps(others)}',
    )

    send_alerts([Alert(kind, OF_KIND[kind])], settings, LOG)

    (body,) = webhook.bodies
    assert body["title"] == texts("pt")[f"alert.title.{kind}"]
    assert body["message"] == OF_KIND[kind].spoken("pt") != OF_KIND[kind].spoken("en")


def test_the_webhook_gets_the_kinds_that_it_always_got(webhook):
    send_alerts([ALERT, REFUSED], Settings(zenith_alert_webhook=webhook.url), LOG)

    assert [body["kind"] for body in webhook.bodies] == ["run_failed"]


def test_a_receiver_that_fails_is_asked_again_and_then_logged_without_its_address(table, webhook, caplog):
    settings = table('name = "desk"\nurl = "URL"')
    webhook.status = 503

    send_alerts([ALERT], settings, LOG)

    assert len(webhook.bodies) == 1 + delivery.RETRIES
    assert caplog.messages[-1] == "the alert was not delivered to 'desk': HTTP 503"
    assert "s3cret" not in caplog.text


def test_a_failure_that_passes_delays_the_message_only(table, webhook, caplog):
    settings = table('name = "desk"\nurl = "URL"')
    webhook.failures = 1

    send_alerts([ALERT], settings, LOG)

    assert len(webhook.bodies) == 2
    assert [record.name for record in caplog.records if record.name != "apprise"] == ["test"]  # the alert itself
    assert not logging.getLogger("apprise").propagate  # pytest listens to it all the same


@pytest.mark.parametrize("query", ["", "?redirect=yes"])
def test_no_redirect_is_followed_even_if_the_address_asks_for_it(table, webhook, caplog, query):
    settings = table(f'name = "desk"\nurl = "URL{query}"')
    webhook.status = 302

    send_alerts([ALERT], settings, LOG)

    assert "followed" not in webhook.bodies and len(webhook.bodies) == 1 + delivery.RETRIES
    assert "not delivered to 'desk': HTTP 302" in caplog.text


def test_a_dead_receiver_does_not_keep_the_others_from_theirs(table, webhook, caplog):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = table(f'name = "dead"\nurl = "json://127.0.0.1:{port}/s3cret"', 'name = "desk"\nurl = "URL"')

    send_alerts([ALERT], settings, LOG)

    assert len(webhook.bodies) == 1
    assert caplog.messages[-1] == "the alert was not delivered to 'dead': no answer, or it was refused"


@pytest.mark.slow
def test_an_address_that_apprise_does_not_know_is_said_without_it(caplog):
    (outcome,) = deliver({Receiver(name="desk", url="nonsense://s3cret"): [ALERT]})

    assert outcome.problem == "Apprise does not understand the address"
    assert "s3cret" not in caplog.text


def test_a_message_of_very_many_alerts_is_short():
    title, body = message_of([REFUSED] * 5000, "en")

    assert title == "Zenith: promotion refused"
    assert len(body.splitlines()) == MOST_LINES + 1
    assert body.endswith("\nand 4,980 more")


def test_an_address_may_be_in_the_environment(monkeypatch):
    monkeypatch.setenv("DESK_URL", "json://a/s3cret")

    receiver = Receiver(name="desk", url="$DESK_URL")

    assert receiver.url.get_secret_value() == "json://a/s3cret"
    assert "s3cret" not in repr(receiver)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("to = 3", "to: Input should be a valid tuple"),
        ('[[to]]\nname = "a"', "to.1.url: Field required"),
        ('[[to]]\nname = "a"\nurl = "s3cret"', "to.1: url is not an address of Apprise, such as mailto://"),
        ('[[to]]\nname = "a"\nurl = "$NO_SUCH"', "to.1: the environment variable NO_SUCH is not set"),
        ('[[to]]\nname = "a"\nurl = "json://s3cret"\nalerts = ["all"]', "to.1.alerts.1: Input should be 'promoted', "),
        ('[[to]]\nname = "a"\nurl = "json://s3cret"\nlang = "pt"', "to.1.lang: Extra inputs are not permitted"),
        ('[[to]]\nname = "a"\nurl = "json://a"\n' * 2, "two receivers have the name a"),
        ("digest_at = 25", "digest_at: it must be a time of day, such as 08:00:00"),
        ("[[to", "is not TOML: docs/guides/alerts.md has an example"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line_without_addresses(tmp_path, table, problem):
    path = tmp_path / "alerts.toml"
    path.write_text(table)

    with pytest.raises(UserError) as refusal:
        Settings(zenith_alerts=path)

    message = str(refusal.value)
    assert message.startswith(f"ZENITH_ALERTS {path}") and problem in message
    assert "s3cret" not in message and "\n" not in message


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_receivers(tmp_path / "none.toml")
