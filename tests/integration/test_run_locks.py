"""Runs of several machines on one PostgreSQL server: live runs are left alone, dead ones are failed from anywhere."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import psycopg
import pytest

from tests import forked
from tests.integration.postgres_server import PostgresServer
from tests.pipelines.dagster_runtime.test_dead_runs import POOL, holders, status
from tests.waiting import PATIENCE, wait_until
from zenith_pipelines.dagster_runtime import run_locks
from zenith_pipelines.dagster_runtime.dead_runs import REASON, fail_dead_run, fail_dead_runs
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock, hold_ticker
from zenith_pipelines.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs a user called nobody")]


def hold_ticker_lock(ticker, alive):
    """Work on a ticker until the process is killed."""
    with hold_ticker(Settings(), ticker):
        alive.set()
        time.sleep(2 * PATIENCE)


def hold_lock(run_id, alive):
    """Work on a run until the process is killed."""
    with hold_run_lock(Settings(), run_id):
        alive.set()
        time.sleep(2 * PATIENCE)


def enter_and_leave(settings, ticker):
    with hold_ticker(settings, ticker):
        pass


@pytest.fixture(scope="module")
def postgres():
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def settings(postgres, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.setenv("ZENITH_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("DATABASE_URL", postgres.create_database("dagster"))
        yield Settings()


@pytest.fixture
def start(settings):
    """Start a run that holds a slot of the pool, as one in mid-fetch does; return its id."""

    def start(kind="PIPELINE_START"):
        with open_instance(settings) as instance:
            run = instance.create_run_for_job(dg.GraphDefinition("fetch").to_job())
            instance.report_dagster_event(dg.DagsterEvent(kind, "fetch"), run_id=run.run_id)
            assert instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "raw_prices").is_claimed
        return run.run_id

    return start


@pytest.fixture
def elsewhere(tmp_path):
    """Begin to work on a run or ticker in a process that shares nothing with this one but the database."""
    machines = []

    def work(name, hold=hold_lock):
        alive = forked.FORKED.Event()
        environment = {**os.environ, "ZENITH_HOME": str(tmp_path / "elsewhere")}
        machines.append(forked.start(hold, name, alive, environment=environment))
        assert alive.wait(PATIENCE)
        return machines[-1]

    yield work
    for machine in machines:
        machine.kill()
        machine.join()


def marks(settings):
    with run_locks.connect(settings.database_url.get_secret_value()) as connection:
        return [run_id for (run_id,) in connection.execute("SELECT run_id FROM zenith_alive")]


def test_a_run_on_another_machine_is_left_alone_until_its_process_is_killed(settings, start, elsewhere):
    run_id = start()
    machine = elsewhere(run_id)

    assert fail_dead_runs(settings) == []
    assert (status(settings, run_id), holders(settings), marks(settings)) == ("STARTED", {run_id}, [run_id])

    machine.kill()
    machine.join()
    assert fail_dead_runs(settings) == [run_id]
    assert (status(settings, run_id), holders(settings), marks(settings)) == ("FAILURE", set(), [])
    with open_instance(settings) as instance:
        assert [log.message for log in instance.all_logs(run_id, dg.DagsterEventType.PIPELINE_FAILURE)] == [REASON]


def test_a_run_lives_on_when_the_server_is_restarted(settings, start, elsewhere, postgres):
    run_id = start()
    machine = elsewhere(run_id)

    postgres.crash()
    postgres.start()
    assert fail_dead_runs(settings) == []
    assert (status(settings, run_id), marks(settings)) == ("STARTED", [run_id])

    machine.kill()
    machine.join()
    assert fail_dead_runs(settings) == [run_id]


def test_a_run_that_was_canceled_and_then_killed_ends_as_canceled(settings, start, elsewhere):
    run_id = start("PIPELINE_CANCELING")
    machine = elsewhere(run_id)
    machine.kill()
    machine.join()

    fail_dead_run(settings, run_id)
    assert (status(settings, run_id), holders(settings), marks(settings)) == ("CANCELED", set(), [])


def test_a_run_that_ended_leaves_nothing_to_clean_up(settings, start):
    run_id = start()
    with hold_run_lock(settings, run_id), hold_run_lock(settings, run_id):  # the command, then its resource
        assert marks(settings) == [run_id]
    assert marks(settings) == []
    fail_dead_run(settings, run_id)


def test_a_ticker_is_held_on_one_machine_at_a_time(settings, elsewhere, caplog):
    url = settings.database_url.get_secret_value()
    machine = elsewhere("AAPL", hold_ticker_lock)
    with hold_ticker(settings, "IBM"), hold_ticker(settings, "IBM"):  # a batch, then the run inside it
        assert caplog.messages == []

    with ThreadPoolExecutor() as threads, run_locks.connect(url) as server:
        ours = threads.submit(enter_and_leave, settings, "AAPL")
        wait_until(lambda: server.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
        assert caplog.messages == ["AAPL: waiting until another run of this ticker ends"]
        assert not ours.done()
        machine.kill()
        machine.join()
        ours.result(PATIENCE)
    assert marks(settings) == []


def test_of_machines_that_begin_at_once_on_an_empty_database_none_fails(postgres):
    url = postgres.create_database("empty")
    with psycopg.connect(url) as first, ThreadPoolExecutor() as threads:
        first.execute(run_locks._TABLE)  # begun, and seen by nobody yet
        second = threads.submit(lambda: run_locks.connect(url).close())
        wait_until(lambda: first.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
        first.commit()
        second.result()
    assert run_locks.DatabaseLocks(url).possibly_dead() == []
