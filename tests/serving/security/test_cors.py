import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from zenith_serving.app import create_app

NAMED, OTHER = "https://dashboard.example", "https://evil.example"
PRICE = "/api/v1/ml/predict/price"


@pytest.fixture
def client(settings):
    changes = {"cors_origins": (NAMED,), "zenith_api_keys": (SecretStr("one"),), "zenith_read_keys": True}
    return TestClient(create_app(settings.model_copy(update=changes)), client=("192.0.2.7", 1))


def preflight(client, origin, method="POST", headers="content-type,x-api-key"):
    asked = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}
    return client.options(PRICE, headers=asked)


def cors_headers(answer):
    return {name.removeprefix("access-control-"): value for name, value in answer.headers.items() if "access-c" in name}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("header", ["authorization", "content-type", "x-api-key", "x-request-id"])
def test_a_named_origin_may_send_what_the_api_takes(client, method, header):
    answer = preflight(client, NAMED, method, header)
    assert answer.status_code == 200
    assert cors_headers(answer)["allow-origin"] == NAMED
    assert cors_headers(answer)["allow-methods"] == "GET, POST, DELETE"
    assert "allow-credentials" not in cors_headers(answer)


@pytest.mark.parametrize(("method", "headers"), [("PUT", ""), ("PATCH", ""), ("POST", "x-anything"), ("GET", "cookie")])
def test_nothing_else_is_allowed(client, method, headers):
    assert preflight(client, NAMED, method, headers).status_code == 400


@pytest.mark.parametrize("origin", [OTHER, "null", NAMED + ":444", "http://dashboard.example", NAMED + ".evil.example"])
def test_no_other_origin_is_let_in(client, origin):
    answer = preflight(client, origin)
    assert answer.status_code == 400
    assert "allow-origin" not in cors_headers(answer)
    answer = client.post(PRICE, json={"ticker": "AAPL"}, headers={"origin": origin, "x-api-key": "one"})
    assert "allow-origin" not in cors_headers(answer)


def test_refusals_can_be_read_by_the_named_origin_too(client):
    answer = client.post(PRICE, json={"ticker": "AAPL"}, headers={"origin": NAMED})
    assert answer.status_code == 401
    assert cors_headers(answer)["allow-origin"] == NAMED
    assert "Retry-After" in cors_headers(answer)["expose-headers"]


def test_without_named_origins_there_is_no_cors_at_all(settings):
    client = TestClient(create_app(settings))
    assert cors_headers(preflight(client, NAMED)) == {}
    assert cors_headers(client.get("/health", headers={"origin": NAMED})) == {}
