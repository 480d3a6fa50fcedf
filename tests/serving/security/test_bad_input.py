"""Invalid input on every route that takes a ticker or an integer.

The routes come from the OpenAPI document, so a new route is tested without a change here.
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
INVALID_TICKERS = [
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
NOT_INTEGERS = [
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


def is_invalid_ticker(text):
    try:
        validate_ticker(text)
    except InvalidTicker:
        return True
    return False


BAD = (st.lists(PIECES, min_size=1, max_size=6).map("".join) | st.text(max_size=40)).filter(is_invalid_ticker)


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


@cache  # takes most of a second
def document():
    return app_with_probes(Settings(zenith_home="nowhere")).openapi()


def schema_of_body(operation):
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def operations():
    """Yield (method, path, parameters, schema of the body) of each operation."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield method, path, operation.get("parameters", []), schema_of_body(operation)


def valid_body(schema):
    values = {"ticker": "AAPL", "tickers": ["AAPL"], "model_type": "lstm"}
    return {name: values[name] for name in schema.get("required", []) if name in values}


def ticker_inputs(client):
    """Yield (name, function that sends a ticker) for each place of a request that takes a ticker."""
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
    document = {**answer.json(), "request_id": "", "nearby": []}
    assert len(ticker) < 5 or ticker not in json.dumps(document, ensure_ascii=False)


def tree(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.rglob("*"))}


@pytest.fixture
def all_inputs(client):
    return list(ticker_inputs(client))


def test_every_input_that_takes_a_ticker_is_found(all_inputs):
    names = {name for name, _ in all_inputs}
    assert {"get /api/v1/ml/probe/{ticker} path", "get /api/v1/ml/probe query"} <= names
    assert {f"post /api/v1/ml/predict/{kind} ticker" for kind in ("price", "signal", "risk", "comprehensive")} <= names


@pytest.mark.slow
@pytest.mark.parametrize(
    "ticker",
    [*OUTSIDE[:3], *(pytest.param(ticker, marks=pytest.mark.slow) for ticker in OUTSIDE[3:] + INVALID_TICKERS)],
    ids=lambda text: repr(text[:12]),
)
def test_an_invalid_ticker_is_refused_by_every_input_and_changes_no_file(all_inputs, home, write_snapshot, ticker):
    write_snapshot(home / "data" / "serving_snapshot" / "..", "AAPL")  # the target of a path out of the folder
    (home / "data" / "serving_snapshot").joinpath("../evil").mkdir()
    before = tree(home.parent)
    for name, send in all_inputs:
        if not can_be_sent(name, ticker):
            continue
        is_refusal(send(ticker), ticker)
    assert tree(home.parent) == before


@pytest.mark.slow
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ticker=BAD)
@example("\ud800")
@example("..")
def test_no_invalid_text_is_accepted_by_any_input(all_inputs, home, ticker):
    before = tree(home)
    for name, send in all_inputs:
        if not can_be_sent(name, ticker):
            continue
        is_refusal(send(ticker), ticker)
    assert tree(home) == before


def can_be_sent(name, ticker):
    """Return True if the client can put the text into an address."""
    return not name.endswith(("path", "query")) or (len(ticker) < 20_000 and "\ud800" not in ticker)


def integer_fields():
    for method, path, _, schema in operations():
        for name, one in schema.get("properties", {}).items():
            if one.get("type") == "integer":
                yield method, path, name, valid_body(schema)


@pytest.mark.parametrize("value", NOT_INTEGERS, ids=lambda text: text[:12])
def test_a_value_that_is_no_integer_within_bounds_is_422_for_every_integer_field(client, value):
    fields = list(integer_fields())
    assert ("post", "/api/v1/ml/predict/price", "horizon", {"ticker": "AAPL"}) in fields
    for method, path, name, body in fields:
        text = f'{json.dumps(body)[:-1]}, "{name}": {value}}}'
        answer = client.request(method, path, headers=HEADERS, content=text)
        assert answer.status_code == 422, (path, name)
        assert len(answer.content) <= 1024
        assert answer.headers["content-type"] == "application/problem+json"
