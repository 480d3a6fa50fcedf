"""`zenith serve` as a process: promotions, signals and dying workers while it is under load."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.serving.redis_server import RedisServer
from tests.serving.served import Load, Served, processes_of_group
from tests.waiting import PATIENCE, wait_until
from zenith_core.names import PAGE_FILES
from zenith_serving.background import POLL_SECONDS
from zenith_serving.server import _FIRST_ROWS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


WORKERS = ("--workers", "2")


@pytest.fixture
def serve(home):
    servers = []

    def start(*options, **environment):
        servers.append(Served(home, *options, **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_what_the_page_shows_first_is_computed_before_it_is_asked_for(serve, mlflow_home, models):
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL", growth=1.02))
    server = serve()

    wait_until(lambda: httpx.get(f"{server.url}/health").json()["models"]["loaded"] > 0)


def test_what_is_computed_first_are_the_rows_of_a_page_of_the_table():
    script = (PAGE_FILES / "overview.js").read_text()

    assert f"const ROWS = {_FIRST_ROWS};" in script


@pytest.mark.parametrize("flips", [24, pytest.param(160, marks=pytest.mark.long)])
def test_promotions_and_rollbacks_fail_no_request_and_each_is_answered_by_old_or_new(serve, mlflow_home, models, flips):
    """An answer says its version; its price must be that version's, from the cache or not."""
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL", growth=1.02))
    server = serve(ZENITH_API_KEYS="key")
    load = Load(server.url, clients=4)

    async def flip():
        running = asyncio.create_task(load.run())
        async with httpx.AsyncClient(
            base_url=server.url, headers={"authorization": "Bearer key"}, timeout=PATIENCE
        ) as client:
            for turn in range(flips):
                version = 1 + turn % 2
                await asyncio.to_thread(mlflow_home.promote, "lstm-AAPL", version)
                assert (await client.post("/api/v1/ml/models/refresh")).status_code == 200
                after = (await client.post("/api/v1/ml/predict/price", json={"ticker": "AAPL"})).json()
                assert after["model_version"] == str(version)  # no answer from the old one once the switch is seen
        load.is_over = True
        await running

    asyncio.run(flip())
    assert (set(load.statuses), load.refused, load.broken) == ({200}, 0, [])
    prices = {(answer["model_version"], answer["predictions"][0]["price"]) for answer in load.answers}
    assert prices == {("1", 101.0), ("2", 102.0)}
    assert {answer["cached"] for answer in load.answers} == {True, False}


@pytest.mark.parametrize(
    ("options", "number"),
    [
        pytest.param((), signal.SIGTERM, id="one process, SIGTERM"),
        pytest.param((), signal.SIGINT, id="one process, SIGINT", marks=pytest.mark.long),
        pytest.param(WORKERS, signal.SIGTERM, id="workers, SIGTERM", marks=pytest.mark.long),
        pytest.param(WORKERS, signal.SIGINT, id="workers, SIGINT"),
    ],
)
def test_a_stop_under_load_finishes_what_is_in_flight_and_leaves_no_process(serve, options, number):
    server = serve(*options)
    load = Load(server.url, use_cache=False)

    async def stop_it():
        running = asyncio.create_task(load.run())
        while sum(load.statuses.values()) < 50:
            await asyncio.sleep(0.01)
        status = await asyncio.to_thread(server.stop, number)
        load.is_over = True
        await running
        return status

    assert asyncio.run(stop_it()) in (0, -number, 128 + number)
    assert set(load.statuses) == {200}
    # A connection that is idle at that moment is closed; a request that crosses this on the wire is unanswered.
    assert all("disconnected" in error or "ReadError" in error for error in load.broken)
    assert "Traceback" not in server.log()


def test_a_batch_in_flight_is_finished_after_a_sigterm(serve):
    server = serve()
    tickers = ["AAPL", "MSFT", *(f"T{number}" for number in range(198))]

    async def ask():
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
            batch = asyncio.create_task(client.post("/api/v1/ml/predict/batch", json={"tickers": tickers}))
            await asyncio.sleep(0.05)
            assert not batch.done()
            server.process.send_signal(signal.SIGTERM)
            return await batch

    answer = asyncio.run(ask())
    assert (answer.status_code, len(answer.json()["results"])) == (200, 200)
    server.process.wait(timeout=PATIENCE)


def test_workers_share_a_cache_in_redis_and_one_that_dies_is_replaced(serve):
    redis = RedisServer()
    try:
        server = serve(*WORKERS, REDIS_URL=redis.url)
        workers = workers_of(server)
        assert len(workers) == 2
        assert server.price()["cached"] is False
        assert {server.price()["cached"] for _ in range(20)} == {True}

        os.kill(workers[0], signal.SIGKILL)

        wait_until(lambda: len(set(workers_of(server)) - set(workers)) == 1)
        wait_until(lambda: all(server.price()["cached"] for _ in range(5)))
        assert server.stop() in (0, -signal.SIGTERM)
    finally:
        redis.close()


def test_a_moved_alias_is_followed_by_every_worker(serve, mlflow_home, models):
    assert POLL_SECONDS <= 2  # so that it takes no more than five seconds, also with a slow registry
    server = serve(*WORKERS)
    assert {server.price()["model_version"] for _ in range(20)} == {"1"}
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL", growth=1.02))
    wait_until(lambda: {server.price()["model_version"] for _ in range(20)} == {"2"})
    assert {server.price()["model_version"] for _ in range(20)} == {"2"}


def test_a_mistake_in_the_settings_is_one_line_for_many_workers_too(home, serve):
    with pytest.raises(AssertionError, match="MLFLOW_TRACKING_URI is not valid") as error:
        serve(*WORKERS, MLFLOW_TRACKING_URI="ftp://nowhere")
    assert "Traceback" not in str(error.value)


def workers_of(server):
    """Its processes that serve: neither itself nor multiprocessing's tracker of resources."""
    others = [pid for pid in processes_of_group(server.process.pid) if pid != server.process.pid]
    return [pid for pid in others if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
