import asyncio

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.testclient import TestClient

from zenith_serving.problem_details import add_handlers
from zenith_serving.routes.direct_route import DirectRoute, document_body, read_body
from zenith_serving.schemas.predictions import PriceRequest


async def endpoint(request: Request) -> bytes:
    body = await read_body(request, PriceRequest)
    return body.model_dump_json().encode()


def nobody() -> None:
    raise AssertionError("is not called")


@pytest.fixture
def client():
    router = APIRouter(route_class=DirectRoute)
    router.post("/ask", openapi_extra=document_body(PriceRequest))(endpoint)
    app = FastAPI()
    app.router.routes.extend(router.routes)  # as app.py does
    add_handlers(app)
    return TestClient(app)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/vnd.zenith+json"])
def test_a_body_of_json_becomes_a_request(client, kind):
    answer = client.post("/ask", content=b'{"ticker": "aapl"}', headers={"content-type": kind})
    assert answer.json() == {"ticker": "AAPL", "use_cache": True, "horizon": 5, "quantiles": []}
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "text/html+jsonx"])
def test_a_body_that_does_not_call_itself_json_is_refused(client, kind):
    answer = client.post("/ask", content=b'{"ticker": "AAPL"}', headers={"content-type": kind})
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "content-type must be application/json")


WHOLE = b'{"ticker": "AAPL"}'
PART, REST = (
    {"type": "http.request", "body": body, "more_body": more} for body, more in ((WHOLE[:9], True), (WHOLE[9:], False))
)


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([PART, REST], 200),
        ([PART, {"type": "http.request", "more_body": True}, REST], 200),
        ([PART, {"type": "http.disconnect"}], 400),
        ([{**REST, "body": WHOLE, "more_body": True}, {"type": "http.disconnect"}], 400),
    ],
)
def test_a_body_that_comes_in_parts_counts_when_it_is_whole(client, messages, status):
    incoming, outgoing = iter(messages), []

    async def receive():
        return next(incoming)

    async def send(message):
        outgoing.append(message)

    scope = {"type": "http", "method": "POST", "path": "/ask", "query_string": b"", "root_path": ""}
    asyncio.run(client.app({**scope, "headers": [(b"content-type", b"application/json")]}, receive, send))
    assert outgoing[0]["status"] == status


def test_the_document_shows_the_body(client):
    body = client.get("/openapi.json").json()["paths"]["/ask"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert (body["required"], schema["title"], schema["required"]) == (True, "PriceRequest", ["ticker"])


@pytest.mark.parametrize("where", ["route", "router"])
def test_a_dependency_that_would_be_passed_over_is_an_error_at_start(where):
    dependencies = [Depends(nobody)]
    with pytest.raises(TypeError, match="/ask is a DirectRoute and has dependencies"):
        router = APIRouter(route_class=DirectRoute, dependencies=dependencies if where == "router" else None)
        router.post("/ask", dependencies=dependencies if where == "route" else None)(endpoint)
        FastAPI().include_router(router)
