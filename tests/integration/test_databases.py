"""Four runs at once on each database that Dagster can keep its events in; the database goes away, and comes back."""

import os
import sqlite3
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from tests import forked
from tests.integration.postgres_server import PASSWORD, PostgresServer
from tests.pipelines.dagster_runtime.test_instance import open_at_once
from tests.pipelines.registry.test_model_registry import tiny_model
from tests.waiting import PATIENCE, wait_until
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.execution.ticker_run import TickerRun
from zenith_pipelines.execution.worker_pool import Outcomes, run_batch
from zenith_pipelines.ingestion.sources import SOURCES, SimulatedSource
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up
from zenith_pipelines.settings import Settings
from zenith_serving.errors import RegistryUnavailable
from zenith_serving.registry import open_registry

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs a user called nobody")]

TICKERS = [f"SIM-EDGE-{number}" for number in (1, 2, 3, 4)]
STAGES = ("raw_prices", "cleaned_prices")
LOCKED_SECONDS = 7  # Dagster's own patience is 5
LIFE = ("STEP_START", "STEP_OUTPUT", "ASSET_MATERIALIZATION", "STEP_SUCCESS")


class Waiting(SimulatedSource):
    """Simulated prices that come when the file `go` is there."""

    def __init__(self, go):
        super().__init__()
        self.go = go

    def fetch(self, ticker, since=None):
        wait_until(self.go.exists)
        return super().fetch(ticker, since)


def prepare_worker(folder):
    """Give a worker the source, and its standard error to a file."""
    SOURCES["waiting"] = lambda _: Waiting(folder / "go")
    with (folder / "errors").open("ab") as errors:
        os.dup2(errors.fileno(), 2)


@pytest.fixture(scope="module")
def postgres():
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def settings(request, tmp_path, monkeypatch):
    for name in ("DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres")
        for name, database in (("DATABASE_URL", "dagster"), ("MLFLOW_TRACKING_URI", "mlflow")):
            monkeypatch.setenv(name, postgres.create_database(f"{database}_{os.urandom(4).hex()}"))
    return Settings()


@dataclass
class FourRuns:
    """A batch of four runs at once, each in a process of its own, which wait in their fetch for the file `go`."""

    folder: Path
    outcomes: Future[Outcomes]

    def go(self):
        (self.folder / "go").touch()

    def errors(self):
        return (self.folder / "errors").read_text()


@pytest.fixture
def four_runs(settings, tmp_path, monkeypatch):
    """Registering models at once is in tests/pipelines/registry: to train, each would import the libraries."""
    forked.fork_workers(monkeypatch, partial(prepare_worker, tmp_path))
    runs = [TickerRun(ticker, source="waiting", until=STAGES[-1]) for ticker in TICKERS]
    with ThreadPoolExecutor() as thread:
        four_runs = FourRuns(tmp_path, thread.submit(run_batch, runs, len(runs), lambda _: None))
        yield four_runs
        four_runs.go()


def assert_nothing_was_lost(settings, four_runs):
    """All tickers are ok, each has a run with the whole life of each step recorded, none is stuck."""
    outcomes = four_runs.outcomes.result(PATIENCE)
    assert {ticker: outcome["status"] for ticker, outcome in outcomes.items()} == dict.fromkeys(TICKERS, "ok")
    assert "locked" not in four_runs.errors()
    with open_instance(settings) as instance:
        runs = instance.get_runs()
        assert {run.status.value for run in runs} <= {"SUCCESS", "FAILURE"}
        finished_runs = [run for run in runs if run.status is dg.DagsterRunStatus.SUCCESS]
        assert sorted(run.tags["dagster/partition"] for run in finished_runs) == TICKERS
        for run in finished_runs:
            events = [log.dagster_event for log in instance.all_logs(run.run_id) if log.dagster_event]
            for stage in STAGES:
                kinds = [event.event_type_value for event in events if event.step_key == stage]
                assert [kind for kind in kinds if kind in LIFE] == list(LIFE), stage
            assert events[-1].event_type_value == "PIPELINE_SUCCESS"
        info = instance.event_log_storage.get_concurrency_info("price_sources")
        assert (info.claimed_slots, info.pending_steps) == ([], [])
        for stage in STAGES:
            assert set(instance.get_materialized_partitions(dg.AssetKey(stage))) == set(TICKERS)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_four_runs_at_once_lose_no_event(settings, four_runs):
    four_runs.go()
    assert_nothing_was_lost(settings, four_runs)


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_four_runs_at_once_survive_a_crash_of_postgresql(settings, postgres, four_runs):
    with open_instance(settings) as instance:
        wait_until(lambda: at_work(instance) == (4, 2, 2))  # two in their fetch, two wait for its pool

    postgres.crash()
    time.sleep(2)
    postgres.start()
    four_runs.go()

    assert_nothing_was_lost(settings, four_runs)


def at_work(instance):
    """Return how many runs are started, how many of them hold a slot of the pool, and how many wait for one."""
    info = instance.event_log_storage.get_concurrency_info("price_sources")
    active = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    return len(active), info.active_slot_count, info.pending_step_count


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_four_machines_that_start_on_an_empty_database_together_all_come_up(settings, tmp_path):
    together = forked.FORKED.Barrier(4)
    openers = [
        forked.start(open_at_once, ticker, together, environment={**os.environ, "ZENITH_HOME": str(tmp_path / ticker)})
        for ticker in TICKERS
    ]

    for opener in openers:
        opener.join(PATIENCE)
    assert [opener.exitcode for opener in openers] == [0, 0, 0, 0]
    with open_instance(settings) as instance:
        assert sorted(instance.get_dynamic_partitions("tickers")) == TICKERS


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_the_webserver_can_ask_postgresql(settings):
    with open_instance(settings) as instance:
        instance.optimize_for_webserver(statement_timeout=5000, pool_recycle=3600, max_overflow=1)
        assert instance.get_runs() == []


def test_pipelines_register_and_serving_answers_from_mlflow_on_the_same_server(postgres, tmp_path):
    uri = postgres.create_database("mlflow")
    registry, serving_registry = ModelRegistry(uri, tmp_path / "artifacts"), open_registry(uri)
    facts = {"metrics": {"mase": 0.9}, "params": {}, "tags": {"data_end": "2013-03-01"}}
    with ThreadPoolExecutor() as threads:
        futures = [threads.submit(registry.register, f"lstm-{ticker}", tiny_model(2.0), **facts) for ticker in TICKERS]
    assert [one.result().version for one in futures] == [1, 1, 1, 1]

    registry.promote("lstm-SIM-EDGE-1", 1)
    postgres.crash()
    with pytest.raises(RegistryUnavailable):
        serving_registry.production()
    postgres.start()

    assert serving_registry.production() == {"lstm-SIM-EDGE-1": 1}
    assert serving_registry.fetch("lstm-SIM-EDGE-1", 1) == tiny_model(2.0)
    assert registry.production("lstm-SIM-EDGE-1").version == 1

    facts["tags"]["kind"] = "lstm"
    old, new = (registry.register("lstm-OLD", tiny_model(2.0), **facts) for _ in range(2))
    clean_up(registry, RetentionRules(keep_latest_n=1, keep_best=False))
    assert [version.version for version in registry.versions("lstm-OLD")] == [2]
    assert [registry.client.get_run(one.run_id).data.metrics for one in (old, new)] == [{}, {"mase": 0.9}]


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_the_password_is_in_no_file(settings):
    open_instance(settings).dispose()

    files = [path for path in settings.home.rglob("*") if path.is_file()]
    assert dagster_home(settings) / "dagster.yaml" in files
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_no_run_is_lost_to_a_lock_that_sqlite_holds_for_longer_than_dagster_waits(settings):
    def back_up():
        with closing(sqlite3.connect(settings.home / "dagster" / "history" / "runs.db")) as backup:
            backup.execute("BEGIN EXCLUSIVE")
            has_lock.set()
            time.sleep(LOCKED_SECONDS)

    has_lock, thread = threading.Event(), threading.Thread(target=back_up)
    with open_instance(settings) as instance:
        thread.start()
        has_lock.wait()
        run = instance.create_run_for_job(dg.GraphDefinition("fetch").to_job())
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", "fetch"), run_id=run.run_id)
        thread.join()
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_a_lock_of_40_seconds_is_within_the_wait(settings):
    with open_instance(settings) as instance, instance.run_storage.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
