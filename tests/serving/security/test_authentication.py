import re

import pytest
from fastapi import Depends
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from pydantic import SecretStr

from zenith_core.errors import UserError
from zenith_serving.app import create_app
from zenith_serving.security.authentication import KeyRing, require_key

KEYS = (SecretStr("first-key"), SecretStr("clé"))
CHANGE = "/api/v1/ml/probe"
PREDICT = "/api/v1/ml/predict/"  # POST there computes, and changes nothing
LOCAL = "http://127.0.0.1:8000"


def app_with_change_route(settings, *guards):
    app = create_app(settings)

    @app.post(CHANGE, dependencies=[Depends(guard) for guard in guards])
    async def change() -> str:
        return "changed"

    return app


def client_of(app, base_url=LOCAL):
    return TestClient(app, base_url=base_url)


@pytest.fixture
def key_settings(settings):
    return settings.model_copy(update={"zenith_api_keys": KEYS})


@pytest.fixture
def client(key_settings):
    return client_of(app_with_change_route(key_settings, require_key))


@pytest.fixture
def keyless(settings):
    return client_of(app_with_change_route(settings, require_key))


def changing_routes(app):
    """Yield (method, address) of every route that is not a read; path parameters get a valid value."""
    for route in iter_route_contexts(app.routes):
        for method in sorted((getattr(route, "methods", None) or set()) - {"GET", "HEAD", "OPTIONS"}):
            if not route.path.startswith(PREDICT):
                yield method, re.sub(r"\{[^}]*\}", "AAPL", route.path)


def open_routes(app):
    """Yield the routes that do not refuse a missing key with 401 and a wrong one with 403."""
    client = client_of(app)
    for method, path in changing_routes(app):
        statuses = [
            client.request(method, path).status_code,
            client.request(method, path, headers={"x-api-key": "wrong"}).status_code,
            client.request(method, path, headers={"authorization": "Bearer wrong"}).status_code,
        ]
        if statuses != [401, 403, 403]:
            yield method, path, statuses


def test_every_route_that_changes_something_refuses_a_missing_and_a_wrong_key(key_settings):
    app = app_with_change_route(key_settings, require_key)
    assert ("POST", CHANGE) in list(changing_routes(app))
    assert list(open_routes(app)) == []


@pytest.mark.slow
def test_a_route_without_a_guard_is_found(key_settings):
    assert list(open_routes(app_with_change_route(key_settings))) == [("POST", CHANGE, [200, 200, 200])]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer first-key"},
        {"authorization": "bearer  first-key"},
        {"x-api-key": "first-key"},
        {"authorization": "Basic eDp5", "x-api-key": "first-key"},
        {"x-api-key": "clé".encode()},
    ],
)
def test_each_key_is_accepted_in_either_header(client, headers):
    assert client.post(CHANGE, headers=headers).json() == "changed"


def test_a_missing_key_is_401_and_explains_how_to_send_one(client):
    for headers in ({}, {"x-api-key": ""}, {"authorization": "Bearer"}, {"authorization": "Basic eDp5"}):
        answer = client.post(CHANGE, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:zenith:problem:key-missing"
        assert "X-API-Key" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["another", "first-ke", "first-key2", "first-key,clé", "cle"])
def test_a_wrong_key_is_403_and_not_echoed(client, key):
    answer = client.post(CHANGE, headers={"x-api-key": key.encode()})
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:zenith:problem:key-wrong"
    assert key not in answer.text


def test_all_keys_are_compared_as_digests_of_one_length(monkeypatch):
    lengths = []
    real = __import__("hmac").compare_digest
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: lengths.append((len(a), len(b))) or real(a, b))
    assert KeyRing([*KEYS, SecretStr("third")]).find(b"first-key") == 0
    assert lengths == [(32, 32)] * 3


@pytest.mark.slow
def test_the_openapi_document_lists_which_routes_need_a_key(client):
    document = client.get("/openapi.json").json()
    assert document["paths"][CHANGE]["post"]["security"] == [{"Bearer": []}, {"X-API-Key": []}]
    assert document["components"]["securitySchemes"]["X-API-Key"]["name"] == "X-API-Key"
    assert "security" not in document["paths"][PREDICT + "price"]["post"]


def test_reading_needs_no_key_unless_configured(client, key_settings):
    disclaimer = "/api/v1/ml/disclaimer"
    assert client.get(disclaimer).status_code == 200
    read_key_client = client_of(create_app(key_settings.model_copy(update={"zenith_read_keys": True})))
    assert read_key_client.get(disclaimer).status_code == 401
    assert read_key_client.post(PREDICT + "price", json={"ticker": "AAPL"}).status_code == 401
    assert read_key_client.get(disclaimer, headers={"x-api-key": "wrong"}).status_code == 403
    assert read_key_client.get(disclaimer, headers={"x-api-key": "first-key"}).status_code == 200
    assert read_key_client.get("/health").status_code == 200


def test_a_read_only_key_reads_and_changes_nothing(key_settings):
    keys = {"zenith_read_keys": True, "zenith_read_only_keys": (SecretStr("reader"),)}
    client = client_of(app_with_change_route(key_settings.model_copy(update=keys), require_key))

    assert client.get("/api/v1/ml/disclaimer", headers={"x-api-key": "reader"}).status_code == 200
    refusal = client.post(CHANGE, headers={"x-api-key": "reader"})
    assert (refusal.status_code, refusal.json()["type"]) == (403, "urn:zenith:problem:key-wrong")
    assert refusal.json()["detail"] == "this key may only read: use one of ZENITH_API_KEYS"
    assert client.post(CHANGE, headers={"x-api-key": "first-key"}).json() == "changed"


def test_with_read_only_keys_alone_nobody_changes_anything(settings):
    settings = settings.model_copy(update={"zenith_read_only_keys": (SecretStr("reader"),)})
    client = client_of(app_with_change_route(settings, require_key))

    assert [client.post(CHANGE, headers=headers).status_code for headers in ({}, {"x-api-key": "reader"})] == [401, 403]


def test_read_keys_without_any_key_are_refused_at_startup(settings):
    with pytest.raises(UserError, match="ZENITH_API_KEYS"):
        create_app(settings.model_copy(update={"zenith_read_keys": True}))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "127.0.0.1"])
def test_without_keys_local_programs_and_the_own_page_may_change_things(keyless, host):
    assert keyless.post(CHANGE, headers={"host": host}).status_code == 200
    own_page = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert keyless.post(CHANGE, headers=own_page).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"},  # the page of another local program
        {"sec-fetch-site": "cross-site"},
        {
            "host": "evil.example:8000",
            "origin": "http://evil.example:8000",
            "sec-fetch-site": "same-origin",
        },  # DNS rebinding
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"host": "[", "origin": "http://["},
    ],
)
def test_without_keys_pages_of_other_sites_are_refused(keyless, headers):
    answer = keyless.post(CHANGE, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:zenith:problem:cross-site")


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::1"])
def test_without_keys_another_machine_behind_a_proxy_is_refused(settings, address):
    app = app_with_change_route(settings, require_key)

    answer = TestClient(app, base_url=LOCAL, client=(address, 40000)).post(CHANGE)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:zenith:problem:cross-site")
    assert TestClient(app, base_url=LOCAL, client=("127.0.0.1", 40000)).post(CHANGE).status_code == 200


def test_without_keys_a_configured_origin_may_change_things(settings):
    app = app_with_change_route(settings.model_copy(update={"cors_origins": ("https://dash.example",)}), require_key)
    headers = {"origin": "https://dash.example", "sec-fetch-site": "cross-site"}
    assert client_of(app).post(CHANGE, headers=headers).status_code == 200
