"""Invalid input on every route of the application that takes a ticker or a whole number.

The routes are found in the OpenAPI document, so one that is added is tested without a word here.
"""

import json
from functools import cache
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from zenith_core.errors import InvalidTicker
from zenith_core.market.tickers import validate_ticker
from zenith_serving.app import create_app
from zenith_serving.schemas.base import Ticker
from zenith_serving.settings import Settings

HEADERS = {"x-api-key": "the-key", "content-type": "application/json"}
OUTSIDE = ["../../etc", "%2e%2e", "/etc/passwd", "..", "../evil", "..%2fevil", "a/../../evil", "....//evil", "C:\\evil"]
NO_TICKERS = [
    "",
    "A" * 100_000,
    "AAPL\n",
    "AAPL\x00",
    "ＡＡＰＬ",
    "AAPL,MSFT",
    "'; DROP TABLE models; --",
    "ſ",
    "-rf",
    "A" * 20,
]
PIECES = st.sampled_from(
    ["..", "/", "\\", "%2e", "%2f", "%00", "\x00", "\n", ",", "'", "AAPL", "evil", "~", "$HOME", "ＡＡＰＬ"]
)
NOT_WHOLE = [
    "0",
    "1e9",
    "1000000000",
    "-1",
    "5.5",
    "5.0",
    '"5"',
    "true",
    "[5]",
    "{}",
    "NaN",
    "1e999",
    "-Infinity",
    "1" * 400,
]


def is_no_ticker(text):
    try:
        validate_ticker(text)
    except InvalidTicker:
        return True
    return False


BAD = (st.lists(PIECES, min_size=1, max_size=6).map("".join) | st.text(max_size=40)).filter(is_no_ticker)


def app_with_probes(settings):
    changes = {"zenith_api_keys": (SecretStr("the-key"),), "zenith_rate_limit": "off"}
    app = create_app(settings.model_copy(update=changes))

    @app.get("/api/v1/ml/probe/{ticker}")
    def probe_path(ticker: Ticker) -> str:
        return ticker

    @app.get("/api/v1/ml/probe")
    def probe_query(ticker: Ticker) -> str:
        return ticker

    return app


@pytest.fixture
def client(settings):
    return TestClient(app_with_probes(settings), raise_server_exceptions=False, follow_redirects=False)


@cache  # it takes most of a second, and is the same for all
def document():
    return app_with_probes(Settings(zenith_home="nowhere")).openapi()


def schema_of_body(operation):
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def operations():
    """(method, path, parameters, schema of the body) of each."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield method, path, operation.get("parameters", []), schema_of_body(operation)


def valid_body(schema):
    known = {"ticker": "AAPL", "tickers": ["AAPL"], "model_type": "lstm"}
    return {name: known.get(name) for name in schema.get("required", []) if name in known}


def doors(client):
    """(name, function that sends a ticker there) for each place in which a ticker may stand."""
    for method, path, parameters, schema in operations():
        for parameter in parameters:
            if "ticker" in parameter["name"] and parameter["in"] == "path":
                yield f"{method} {path} path", through_path(client, method, path, parameter["name"], valid_body(schema))
            elif "ticker" in parameter["name"]:
                yield f"{method} {path} query", through_query(client, method, path, parameter["name"])
        for name in schema.get("properties", {}):
            if name in ("ticker", "tickers"):
                yield f"{method} {path} {name}", through_body(client, method, path, name, schema)


def through_path(client, method, path, name, body):
    def send(ticker):
        address = path.replace(f"{{{name}}}", quote(ticker, safe=""))
        return client.request(method, address, headers=HEADERS, content=json.dumps(body) if body else None)

    return send


def through_query(client, method, path, name):
    def send(ticker):
        return client.request(method, path.replace("{ticker}", "AAPL"), headers=HEADERS, params={name: ticker})

    return send


def through_body(client, method, path, name, schema):
    def send(ticker):
        body = valid_body(schema) | {name: ["AAPL", ticker] if name == "tickers" else ticker}
        return client.request(method, path, headers=HEADERS, content=json.dumps(body))

    return send


def is_refusal(answer, ticker):
    assert answer.status_code in (404, 405, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) <= 1024
    shown = {**answer.json(), "request_id": "", "nearby": []}
    assert len(ticker) < 5 or ticker not in json.dumps(shown, ensure_ascii=False)


def tree(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


@pytest.fixture
def all_doors(client):
    return list(doors(client))


def test_every_door_for_a_ticker_is_found(all_doors):
    names = {name for name, _ in all_doors}
    assert {"get /api/v1/ml/probe/{ticker} path", "get /api/v1/ml/probe query"} <= names
    assert {f"post /api/v1/ml/predict/{kind} ticker" for kind in ("price", "signal", "comprehensive")} <= names


@pytest.mark.parametrize("ticker", OUTSIDE + NO_TICKERS, ids=lambda text: repr(text[:12]))
def test_text_that_is_no_ticker_is_refused_at_every_door_and_nothing_is_touched(
    all_doors, home, write_snapshot, ticker
):
    write_snapshot(home / "data" / "serving_snapshot" / "..", "AAPL")  # what a path out of the folder would find
    (home / "data" / "serving_snapshot").joinpath("../evil").mkdir()
    before = tree(home.parent)
    for name, send in all_doors:
        if not can_be_sent(name, ticker):
            continue
        is_refusal(send(ticker), ticker)
    assert tree(home.parent) == before


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ticker=BAD)
@example("\ud800")
@example("..")
def test_no_text_gets_through_any_door(all_doors, home, ticker):
    before = tree(home)
    for name, send in all_doors:
        if not can_be_sent(name, ticker):
            continue
        is_refusal(send(ticker), ticker)
    assert tree(home) == before


def can_be_sent(name, ticker):
    """Whether the client can write an address with it."""
    return not name.endswith(("path", "query")) or (len(ticker) < 20_000 and "\ud800" not in ticker)


def whole_numbers():
    for method, path, _, schema in operations():
        for name, one in schema.get("properties", {}).items():
            if one.get("type") == "integer":
                yield method, path, name, valid_body(schema)


@pytest.mark.parametrize("value", NOT_WHOLE, ids=lambda text: text[:12])
def test_what_is_no_whole_number_within_bounds_is_422_for_every_such_field(client, value):
    found = list(whole_numbers())
    assert ("post", "/api/v1/ml/predict/price", "horizon", {"ticker": "AAPL"}) in found
    for method, path, name, body in found:
        text = f'{json.dumps(body)[:-1]}, "{name}": {value}}}'
        answer = client.request(method, path, headers=HEADERS, content=text)
        assert answer.status_code == 422, (path, name)
        assert len(answer.content) <= 1024
        assert answer.headers["content-type"] == "application/problem+json"
