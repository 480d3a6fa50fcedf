import asyncio
import json
import threading

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.waiting import PATIENCE
from zenith_serving.app import create_app
from zenith_serving.schemas.predictions import BatchAnswer

BATCH = "/api/v1/ml/predict/batch"


@pytest.fixture
def app(settings):
    return create_app(settings)


@pytest.fixture
def client(app):
    with TestClient(app) as client:
        yield client


def results(answer):
    assert answer.status_code == 200, answer.text
    BatchAnswer.model_validate_json(answer.content)
    return answer.json()["results"]


def test_each_ticker_has_its_prediction_or_its_problem_in_the_order_asked(client):
    batch = results(client.post(BATCH, json={"tickers": ["MSFT", "NOPE", "aapl", "IBM"]}))
    assert [result["ticker"] for result in batch] == ["MSFT", "NOPE", "AAPL", "IBM"]
    assert [result["problem"] and result["problem"]["type"].rpartition(":")[2] for result in batch] == [
        None,
        "unknown-ticker",
        None,
        "model-unavailable",
    ]
    assert [result["prediction"] and result["prediction"]["ticker"] for result in batch] == ["MSFT", None, "AAPL", None]
    both = batch[0]["prediction"]
    assert (len(both["price"]["predictions"]), both["signal"]["likeliest"], both["problems"]) == (5, "buy", {})


@pytest.mark.parametrize(("what", "field"), [("price", "predictions"), ("signal", "probabilities")])
def test_a_batch_can_be_of_prices_or_signals_alone(client, what, field):
    request = {"tickers": ["AAPL"], "what": what, "horizon": 7}
    alone = results(client.post(BATCH, json=request))[0]["prediction"]
    single = {"ticker": "AAPL"} | ({"horizon": 7} if what == "price" else {})
    same = client.post(f"/api/v1/ml/predict/{what}", json=single).json()
    assert alone[field] == same[field]
    assert (alone["cached"], same["cached"]) == (False, True)
    assert not results(client.post(BATCH, json={**request, "use_cache": False}))[0]["prediction"]["cached"]


def test_an_unexpected_error_of_one_ticker_is_reported_inside(client, monkeypatch):
    predictor = client.app.state.predictor
    real_answer = predictor.answer

    def answer(kind, ticker, *arguments, **options):
        if ticker == "MSFT":
            raise RuntimeError("secret")
        return real_answer(kind, ticker, *arguments, **options)

    monkeypatch.setattr(predictor, "answer", answer)
    answer = client.post(BATCH, json={"tickers": ["AAPL", "MSFT"], "what": "price"})
    assert [one["problem"] and one["problem"]["status"] for one in results(answer)] == [None, 500]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "tickers",
    [[], ["AAPL", "aapl"], ["AAPL", "../etc"], [f"T{n}" for n in range(201)], "AAPL", [5], [None], [["AAPL"]], {}],
    ids=lambda tickers: str(tickers)[:12],
)
def test_anything_but_1_to_200_different_tickers_is_422(client, tickers):
    answer = client.post(BATCH, json={"tickers": tickers})
    assert answer.status_code == 422
    assert len(answer.content) <= 1024
    assert answer.json()["errors"][0]["field"] == "tickers"


@pytest.mark.parametrize("change", [{"what": "everything"}, {"horizon": 31}, {"horizon": "5"}, {"use_cache": 1}])
def test_other_fields_are_as_strict_as_for_one_ticker(client, change):
    answer = client.post(BATCH, json={"tickers": ["AAPL"], **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in change


def test_health_is_answered_while_200_tickers_are_under_way(app, monkeypatch):
    """None of the 200 ends before /health has been answered several times."""
    predictor, health_was_answered = app.state.predictor, threading.Event()

    def answer(kind, ticker, *_, **__):
        assert health_was_answered.wait(PATIENCE)
        return json.dumps({"ticker": ticker}).encode()

    monkeypatch.setattr(predictor, "answer", answer)

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            request = {"tickers": [f"T{n}" for n in range(200)], "what": "price"}
            batch = asyncio.create_task(client.post(BATCH, json=request))
            statuses = [(await client.get("/health")).status_code for _ in range(5)]
            assert not batch.done()
            health_was_answered.set()
            return statuses, (await batch).json()

    statuses, document = asyncio.run(ask())
    assert statuses == [200] * 5
    assert [one["ticker"] for one in document["results"]] == [f"T{n}" for n in range(200)]


def test_health_is_answered_between_tickers_that_memory_answers(app, monkeypatch):
    predictor, order = app.state.predictor, []
    monkeypatch.setattr(predictor, "ready", lambda *_: {"lstm": None})
    monkeypatch.setattr(predictor, "answer", lambda kind, ticker, *_, **__: order.append(ticker) or b"{}")

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            request = {"tickers": [f"T{n}" for n in range(200)], "what": "price"}
            batch = asyncio.create_task(client.post(BATCH, json=request))
            async with asyncio.timeout(PATIENCE):
                while not order:
                    await asyncio.sleep(0)
            assert (await client.get("/health")).status_code == 200
            order.append("health")
            await batch

    asyncio.run(ask())
    assert order.index("health") < 200
    assert len(order) == 201
