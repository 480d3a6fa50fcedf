import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from zenith_serving.app import create_app

ALLOWED, OTHER = "https://dashboard.example", "https://evil.example"
PRICE = "/api/v1/ml/predict/price"


@pytest.fixture
def client(settings):
    changes = {"cors_origins": (ALLOWED,), "zenith_api_keys": (SecretStr("one"),), "zenith_read_keys": True}
    return TestClient(create_app(settings.model_copy(update=changes)), client=("192.0.2.7", 1))


def preflight(client, origin, method="POST", headers="content-type,x-api-key"):
    request = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}
    return client.options(PRICE, headers=request)


def cors_headers(answer):
    return {name.removeprefix("access-control-"): value for name, value in answer.headers.items() if "access-c" in name}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("header", ["authorization", "content-type", "x-api-key", "x-request-id"])
def test_an_allowed_origin_may_use_the_methods_and_headers_of_the_api(client, method, header):
    answer = preflight(client, ALLOWED, method, header)
    assert answer.status_code == 200
    assert cors_headers(answer)["allow-origin"] == ALLOWED
    assert cors_headers(answer)["allow-methods"] == "GET, POST, DELETE"
    assert "allow-credentials" not in cors_headers(answer)


@pytest.mark.parametrize(("method", "headers"), [("PUT", ""), ("PATCH", ""), ("POST", "x-anything"), ("GET", "cookie")])
def test_other_methods_and_headers_are_refused(client, method, headers):
    assert preflight(client, ALLOWED, method, headers).status_code == 400


@pytest.mark.parametrize(
    "origin", [OTHER, "null", ALLOWED + ":444", "http://dashboard.example", ALLOWED + ".evil.example"]
)
def test_other_origins_are_refused(client, origin):
    answer = preflight(client, origin)
    assert answer.status_code == 400
    assert "allow-origin" not in cors_headers(answer)
    answer = client.post(PRICE, json={"ticker": "AAPL"}, headers={"origin": origin, "x-api-key": "one"})
    assert "allow-origin" not in cors_headers(answer)


def test_an_allowed_origin_can_read_refusals(client):
    answer = client.post(PRICE, json={"ticker": "AAPL"}, headers={"origin": ALLOWED})
    assert answer.status_code == 401
    assert cors_headers(answer)["allow-origin"] == ALLOWED
    assert "Retry-After" in cors_headers(answer)["expose-headers"]


def test_without_allowed_origins_there_are_no_cors_headers(settings):
    client = TestClient(create_app(settings))
    assert cors_headers(preflight(client, ALLOWED)) == {}
    assert cors_headers(client.get("/health", headers={"origin": ALLOWED})) == {}
