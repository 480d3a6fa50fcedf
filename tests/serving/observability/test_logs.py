import io
import json
import logging
import re

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from zenith_serving.app import create_app
from zenith_serving.observability.logs import RequestLog, configure_logging

PRICE = "/api/v1/ml/predict/price"
SECRETS = ("key-of-mine", "redis-password", "mlflow-password", "query-secret", "body-secret", "local-secret")


@pytest.fixture
def log():
    """Yield the log stream; restore the logging of the process afterwards."""
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "uvicorn.error", "uvicorn.access")]
    states = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    logging.getLogger().handlers = []  # pytest's own handlers stay open
    yield io.StringIO()
    for logger, handlers, level, propagate in states:
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate
    logging.getLogger("zenith_serving").manager._clear_cache()  # levels are cached


@pytest.fixture
def client_of(log):
    def make(settings):
        configure_logging(settings, log)
        app = create_app(settings, RequestLog(settings, log))
        return TestClient(app, raise_server_exceptions=False, client=("192.0.2.7", 5))

    return make


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def requests(stream):
    return [line for line in lines(stream) if line["event"] == "request"]


def test_a_request_is_one_line_of_json(client_of, settings, log):
    answer = client_of(settings).post(PRICE, json={"ticker": "AAPL"})
    (line,) = requests(log)
    assert line["ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])
    assert {name: line[name] for name in ("level", "method", "route", "status", "client", "request_id")} == {
        "level": "info",
        "method": "POST",
        "route": PRICE,
        "status": 200,
        "client": "remote",
        "request_id": answer.headers["x-request-id"],
    }


def test_a_request_without_a_route_is_logged_without_its_address(client_of, settings, log):
    client_of(settings).get("/%0Aevil/..%2f..%2fetc?x=1")
    (line,) = requests(log)
    assert (line["route"], line["status"]) == ("none", 404)
    assert "evil" not in log.getvalue()


def test_a_client_with_a_key_is_logged_by_the_number_of_its_key(client_of, settings, log):
    keys = (SecretStr("one"), SecretStr("two"))
    client = client_of(settings.model_copy(update={"zenith_api_keys": keys}))
    client.get("/docs", headers={"x-api-key": "two"})
    client.get("/docs", headers={"x-api-key": "three"})
    assert [line["client"] for line in requests(log)] == ["key 2", "remote"]


def test_level_warning_omits_successful_requests_and_health_checks_are_debug(client_of, settings, log):
    client = client_of(settings)
    client.get("/health")
    assert requests(log) == []
    client = client_of(settings.model_copy(update={"log_level": "warning"}))
    client.get("/docs")
    client.post(PRICE, json={"ticker": "IBM"})  # no model: 503
    assert [(line["status"], line["level"]) for line in requests(log)] == [(503, "warning")]


def test_other_loggers_have_the_same_format_with_the_request_id(client_of, settings, log, monkeypatch):
    client = client_of(settings)

    def warn(*_, **__):
        logging.getLogger("zenith_serving.x").warning("from %s", "inside")
        raise RuntimeError("broken")

    monkeypatch.setattr(client.app.state.predictor.snapshots, "get", warn)
    answer = client.post(PRICE, json={"ticker": "AAPL"})
    (line,) = (line for line in lines(log) if line.get("logger") == "zenith_serving.x")
    assert (line["event"], line["level"]) == ("from inside", "warning")
    assert line["request_id"] == answer.headers["x-request-id"] == answer.json()["request_id"]
    assert [line["status"] for line in requests(log)] == [500]


def test_the_console_format_has_no_braces_and_no_json(client_of, settings, log):
    client_of(settings.model_copy(update={"log_format": "console"})).post(PRICE, json={"ticker": "AAPL"})
    assert re.search(r"\[info +\] request +client=remote", log.getvalue())
    assert "{" not in log.getvalue()


@pytest.mark.parametrize("header", ["a2b4c6d8", "2026-11-24_trace.01", "f" * 64])
def test_a_well_formed_request_id_is_kept(client_of, settings, header):
    answer = client_of(settings).get("/nowhere", headers={"x-request-id": header})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == header


@pytest.mark.parametrize("header", ["short", "f" * 65, "line\tbreak", "<script>x</script>", "é" * 9, ""])
def test_any_other_request_id_is_replaced(client_of, settings, header):
    client = client_of(settings)
    ids = [client.get("/nowhere", headers={"x-request-id": header.encode()}).headers["x-request-id"] for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
    assert ids[0] != ids[1]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_appear_in_no_log_line_and_no_answer(client_of, settings, log, log_format, capsys):
    changes = {
        "zenith_api_keys": (SecretStr("key-of-mine"),),
        "redis_url": SecretStr("redis://user:redis-password@127.0.0.1:1/0"),
        "mlflow_tracking_uri": "http://user:mlflow-password@127.0.0.1:1",
        "log_level": "debug",
        "log_format": log_format,
    }
    client = client_of(settings.model_copy(update=changes))

    with client:
        headers = {"authorization": "Bearer key-of-mine", "x-api-key": "key-of-mine"}
        answers = [
            client.get("/health?token=query-secret", headers=headers),
            client.post(PRICE, json={"ticker": "body-secret"}, headers=headers),
            client.post(PRICE + "?q=query-secret", json={"ticker": "AAPL"}, headers=headers),
            client.post(PRICE, content=b"body-secret", headers=headers),
            client.get("/metrics", headers=headers),
            client.get("/query-secret"),
        ]
        try:
            fail("-".join(("local", "secret")))
        except RuntimeError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
        client.app.state.predictor.cache.check()
        client.app.state.predictor.models.refresh()
    output = log.getvalue() + "".join(capsys.readouterr()) + "".join(answer.text for answer in answers)
    assert "a secret of 12 letters" in output  # the traceback was logged
    assert "redis" in output
    assert [secret for secret in SECRETS if secret in output] == []


def fail(local):
    raise RuntimeError(f"a secret of {len(local)} letters")


def test_a_closed_stderr_fails_no_request(settings):
    class Closed(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    client = TestClient(create_app(settings, RequestLog(settings, Closed())))
    assert client.get("/api/v1/ml/disclaimer").status_code == 200
