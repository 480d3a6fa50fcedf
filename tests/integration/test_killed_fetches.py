"""Runs that are killed while they ask a source hold slots of its pool; the next run must not wait for them for ever."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import dagster as dg
import pytest

from tests import forked
from tests.empty_databases import put_dagster_databases
from tests.waiting import PATIENCE, wait_until
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
from zenith_pipelines.execution.worker_pool import run_batch
from zenith_pipelines.ingestion.sources import SOURCES
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow

POOL = "price_sources"
TICKERS = ("AAPL", "MSFT")  # of different tickers, because a run holds the lock of its own
LIMIT = len(TICKERS)


class Slow:
    """A source that does not answer."""

    name = "slow"

    def __init__(self, requests):
        self.asked = requests

    def tickers(self):
        return list(TICKERS)

    def fetch(self, ticker, since=None):
        self.asked.set()
        time.sleep(2 * PATIENCE)


def fetch(run_id, ticker, requests):
    SOURCES["slow"] = lambda _: Slow(requests)
    run_ticker(TickerRun(ticker, source="slow", until="raw_prices", run_id=run_id), Progress())


@pytest.fixture
def settings(tmp_path, monkeypatch):
    put_dagster_databases(tmp_path)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    forked.fork_workers(monkeypatch)
    return Settings()


@pytest.fixture
def fetching(settings):
    """The processes of as many runs as the pool has slots, each in mid-fetch, by the runs' ids."""
    requests = {str(uuid4()): forked.FORKED.Event() for _ in range(LIMIT)}
    runs = {
        run_id: forked.start(fetch, run_id, ticker, event)
        for ticker, (run_id, event) in zip(TICKERS, requests.items(), strict=True)
    }
    assert all(event.wait(PATIENCE) for event in requests.values())
    yield runs
    for process in runs.values():
        process.kill()
        process.join()


def status_of_a_run():
    """Run a ticker as `zenith run` does, in a worker process."""
    runs = [TickerRun("FB", source="sample", until="raw_prices")]
    return run_batch(runs, 1, lambda _: None)["FB"]["status"]


def states(settings, run_ids):
    with open_instance(settings) as instance:
        return [instance.get_run_by_id(run_id).status.value for run_id in run_ids]


def pool(settings):
    """How many runs hold a slot of the pool, and how many wait for one."""
    with open_instance(settings) as instance:
        info = instance.event_log_storage.get_concurrency_info(POOL)
        return len(info.claimed_slots), info.pending_step_count


def test_a_run_after_kill_9_takes_the_slots_of_the_dead(settings):
    dead = [claim_slot_and_die(settings) for _ in range(LIMIT)]
    assert (states(settings, dead), pool(settings)) == (["STARTED"] * LIMIT, (LIMIT, 0))

    assert status_of_a_run() == "ok"

    assert (states(settings, dead), pool(settings)) == (["FAILURE"] * LIMIT, (0, 0))


def claim_slot_and_die(settings):
    """Leave the traces of a run that was killed in mid-fetch: it is started, has a slot, and a mark without a lock."""
    with open_instance(settings) as instance:
        run_id = instance.create_run_for_job(dg.GraphDefinition("fetch").to_job()).run_id
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", "fetch"), run_id=run_id)
        assert instance.event_log_storage.claim_concurrency_slot(POOL, run_id, "raw_prices").is_claimed
    with suppress(KeyboardInterrupt), hold_run_lock(settings, run_id):
        raise KeyboardInterrupt
    return run_id


def test_a_run_that_waits_takes_the_slot_of_one_killed_meanwhile_and_leaves_the_living_alone(fetching, settings):
    victim, other = fetching
    with ThreadPoolExecutor() as thread:
        waiting = thread.submit(status_of_a_run)
        try:
            wait_until(lambda: pool(settings) == (LIMIT, 1))
        finally:
            fetching[victim].kill()

        assert waiting.result(PATIENCE) == "ok"
    assert states(settings, [victim, other]) == ["FAILURE", "STARTED"]
    assert pool(settings) == (1, 0)
