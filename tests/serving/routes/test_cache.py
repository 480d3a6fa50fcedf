"""The cache as clients meet it: its state, its removal, and the failure of its Redis."""

import asyncio
import time

import httpx
import pytest
from fastapi.testclient import TestClient

from tests.waiting import PATIENCE
from zenith_serving.app import create_app
from zenith_serving.prediction import model_store
from zenith_serving.settings import Settings

PRICE, CACHE = "/api/v1/ml/predict/price", "/api/v1/ml/cache"
KEYS = {"authorization": "Bearer key"}


@pytest.fixture
def settings(settings):
    return changed(settings, zenith_api_keys="key")


@pytest.fixture(params=["memory", "redis"])
def either(request, settings):
    """Settings for a cache in memory, and for one in Redis."""
    if request.param == "memory":
        return settings
    return changed(settings, redis_url=request.getfixturevalue("redis").url)


def changed(settings, **changes):
    return Settings(**{**settings.model_dump(), **changes})


def asked(client, ticker):
    return client.post(PRICE, json={"ticker": ticker}).json()


def test_one_ticker_s_answers_are_forgotten_or_all(either):
    with TestClient(create_app(either)) as client:
        for ticker in ("AAPL", "MSFT"):
            assert [asked(client, ticker)["cached"] for _ in range(2)] == [False, True]
        answer = client.delete(f"{CACHE}/aapl", headers=KEYS)
        assert (answer.status_code, answer.json()["ticker"]) == (200, "AAPL")
        assert [asked(client, ticker)["cached"] for ticker in ("AAPL", "MSFT")] == [False, True]
        assert client.delete(CACHE, headers=KEYS).json()["ticker"] is None
        assert [asked(client, ticker)["cached"] for ticker in ("AAPL", "MSFT")] == [False, False]


def test_stats_tell_what_is_kept_and_of_what_use_it_was(either):
    with TestClient(create_app(either)) as client:
        for ticker in ("AAPL", "MSFT", "AAPL"):
            asked(client, ticker)
        stats = client.get(f"{CACHE}/stats").json()
        assert (stats["entries"], stats["hits"], stats["misses"], stats["ttl"]) == (2, 1, 2, 3600)
        assert stats["state"] == "ok"
        assert (stats["kind"], stats["scope"]) in [("in-process", "this process"), ("redis", "all processes")]


@pytest.mark.parametrize("ticker", ["..%2F..", "%2e%2e", "AAPL,MSFT", "A" * 5000, "A%00"])
def test_what_is_no_ticker_is_not_forgotten(settings, ticker):
    with TestClient(create_app(settings)) as client:
        assert client.delete(f"{CACHE}/{ticker}", headers=KEYS).status_code in (404, 422)


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_a_hundred_cold_requests_make_one_computation(either, monkeypatch, fails):
    compute, calls = model_store.forecast_once, []

    def count_and_compute(*arguments):
        calls.append(1)
        time.sleep(0.05)  # time for the others to join
        if fails and len(calls) == 1:
            raise RuntimeError("the first of them fails")
        return compute(*arguments)

    monkeypatch.setattr(model_store, "forecast_once", count_and_compute)
    app = create_app(either)

    async def ask():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=PATIENCE) as client:
            return await asyncio.gather(*(client.post(PRICE, json={"ticker": "AAPL"}) for _ in range(100)))

    answers = asyncio.run(ask())
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(500), statuses.count(200)) == (fails, 100 - fails)
    assert len(calls) == 1 + fails
    assert len({answer.json()["timestamp"] for answer in answers if answer.status_code == 200}) == 1


def test_a_service_that_starts_without_its_redis_answers_and_says_so(settings):
    with TestClient(create_app(changed(settings, redis_url="redis://127.0.0.1:1/0"))) as client:
        assert [asked(client, "AAPL")["cached"] for _ in range(2)] == [False, True]
        health = client.get("/health").json()
        assert (health["status"], health["ready"]) == ("degraded", True)
        assert health["cache"]["state"] == "redis away, in-process instead"
        answer = client.delete(f"{CACHE}/AAPL", headers=KEYS)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:cache-away")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "kill"])
def test_a_redis_that_fails_fails_no_request_and_is_used_again_when_it_is_back(settings, redis, fault):
    with TestClient(create_app(changed(settings, redis_url=redis.url))) as client:
        assert [asked(client, "AAPL")["cached"] for _ in range(2)] == [False, True]
        getattr(redis, fault)()
        answers = [client.post(PRICE, json={"ticker": "AAPL"}) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert [answer.json()["cached"] for answer in answers[:2]] == [False, True]  # memory takes over
        assert "away" in client.get("/health").json()["cache"]["state"]
        redis.go_on() if fault == "hang" else redis.start()
        client.app.state.predictor.cache.check()  # as the watcher does every two seconds
        assert client.get("/health").json()["cache"] == {"kind": "redis", "state": "ok"}
        assert asked(client, "AAPL")["cached"] == (fault == "hang")


@pytest.mark.parametrize("garbage", [b"", b"\x80\x04K\x01.", b"{}", b'{"ticker":"AAPL","cached":true}'])
def test_garbage_in_redis_is_dropped_and_computed_anew(settings, redis, garbage):
    with TestClient(create_app(changed(settings, redis_url=redis.url))) as client:
        first = asked(client, "AAPL")
        (name,) = (key for key in redis.client.keys("zenith:2::AAPL:*"))
        redis.client.set(name, garbage)
        anew, kept = asked(client, "AAPL"), asked(client, "AAPL")
        assert (anew["cached"], kept["cached"]) == (False, True)
        assert anew["predictions"] == kept["predictions"] == first["predictions"]
