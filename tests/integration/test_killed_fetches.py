"""Runs that are killed while they ask a source hold slots of its pool; the next run must not wait for them for ever."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.empty_databases import put_dagster_databases
from tests.waiting import wait_until
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow

ZENITH = Path(sys.executable).with_name("zenith")
POOL = "price_sources"
LIMIT = 2

FETCHING = """
import sys, time
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.ingestion.sources import SOURCES
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker

class Slow:
    name = "slow"
    def tickers(self):
        return ["AAPL"]
    def fetch(self, ticker, since=None):
        print("asked", flush=True)
        time.sleep(600)

SOURCES["slow"] = lambda _: Slow()
run_ticker(TickerRun("AAPL", source="slow", until="raw_prices", run_id=sys.argv[1]), Progress())
"""


@pytest.fixture
def settings(tmp_path):
    return Settings(zenith_home=tmp_path)


@pytest.fixture
def start(tmp_path):
    """Start a process in the state folder of the test; it is killed when the test ends."""
    put_dagster_databases(tmp_path)
    started = []

    def start(*command):
        environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        process = subprocess.Popen(
            command, env={**environment, "ZENITH_HOME": str(tmp_path)}, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def fetching(start):
    """The processes of as many runs as the pool has slots, each in mid-fetch, by the runs' ids."""
    runs = {run_id: start(sys.executable, "-c", FETCHING, run_id) for run_id in (str(uuid4()) for _ in range(LIMIT))}
    assert [process.stdout.readline() for process in runs.values()] == ["asked\n"] * LIMIT
    return runs


def run_zenith(start):
    return start(ZENITH, "run", "--source", "sample", "--tickers", "FB", "--until", "raw_prices")


def states(settings, run_ids):
    with open_instance(settings) as instance:
        return [instance.get_run_by_id(run_id).status.value for run_id in run_ids]


def pool(settings):
    """How many runs hold a slot of the pool, and how many wait for one."""
    with open_instance(settings) as instance:
        info = instance.event_log_storage.get_concurrency_info(POOL)
        return len(info.claimed_slots), info.pending_step_count


def test_a_run_after_kill_9_takes_the_slots_of_the_dead(fetching, start, settings):
    for process in fetching.values():
        process.kill()
        process.wait()
    assert (states(settings, fetching), pool(settings)) == (["STARTED"] * LIMIT, (LIMIT, 0))

    assert run_zenith(start).wait(120) == 0

    assert (states(settings, fetching), pool(settings)) == (["FAILURE"] * LIMIT, (0, 0))


def test_a_run_that_waits_takes_the_slot_of_one_killed_meanwhile_and_leaves_the_living_alone(fetching, start, settings):
    waiting = run_zenith(start)
    wait_until(lambda: pool(settings) == (LIMIT, 1), 120)
    victim, other = fetching

    fetching[victim].kill()

    assert waiting.wait(120) == 0
    assert states(settings, [victim, other]) == ["FAILURE", "STARTED"]
    assert pool(settings) == (1, 0)
