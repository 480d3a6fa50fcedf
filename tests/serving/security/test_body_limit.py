import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from zenith_serving.problem_details import add_handlers
from zenith_serving.security.body_limit import MAX_BODY_BYTES, BodyLimit


@pytest.fixture
def client():
    app = FastAPI()
    app.add_middleware(BodyLimit)
    add_handlers(app)

    @app.post("/length")
    async def length(request: Request):
        return len(await request.body())

    with TestClient(app) as client:
        yield client


def parts(count):
    for _ in range(count):
        yield b" " * (MAX_BODY_BYTES // 4)


def test_a_body_up_to_the_limit_is_accepted(client):
    assert client.post("/length", content=b" " * MAX_BODY_BYTES).json() == MAX_BODY_BYTES
    assert client.post("/length", content=parts(4)).json() == MAX_BODY_BYTES


@pytest.mark.parametrize("content", [b" " * (MAX_BODY_BYTES + 1), parts(5)])
def test_a_larger_body_is_refused_with_or_without_a_declared_length(client, content):
    answer = client.post("/length", content=content)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:zenith:problem:http-413"


@pytest.mark.parametrize("length", ["-1", "x", "9" * 30, "²"])
def test_a_content_length_that_is_no_number_is_ignored(client, length):
    assert client.post("/length", headers={"content-length": length.encode()}, content=parts(1)).status_code == 200
