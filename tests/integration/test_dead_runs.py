"""Runs of the UI whose process is killed: they are soon shown as failed, hold nothing, and are run once more."""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from tests.empty_databases import put_dagster_databases
from tests.integration.dagster_ui import REPOSITORY, Dagster, cut_off, free_port, process_of, start_ui
from tests.waiting import wait_until
from zenith_pipelines.dagster_runtime.dead_runs import REASON
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.ingestion.sources import SampleSource
from zenith_pipelines.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

POOL = "price_sources"
START_TIMEOUT = 3600  # so that no run fails which a busy machine is slow to start
MONITORING = {"poll_interval_seconds": 2, "start_timeout_seconds": START_TIMEOUT}


@dataclass
class Machine:
    """`zenith ui` on a home of its own, that can be started, cut off the power, and started again."""

    home: Path
    port: int
    servers: list = field(default_factory=list)

    def __post_init__(self):
        put_dagster_databases(self.home)
        self.dagster = Dagster(self.port)
        self.prices = self.home / "prices"
        self.prices.mkdir()
        self.config = self.home / "monitoring.yaml"
        self.settings = Settings(zenith_home=self.home, zenith_dagster_config=self.config)
        self.config.write_text(json.dumps({"run_monitoring": MONITORING}))  # JSON is YAML
        self.instance = open_instance(self.settings)

    def turn_on(self):
        # Or a refresh would go on with the folder of csv files, and hang at the pipes in it.
        settings = {"ZENITH_PRICE_SOURCE": "sample", "ZENITH_DATA_ROOTS": str(self.prices)}
        self.servers.append(start_ui(self.home, self.port, **settings, ZENITH_DAGSTER_CONFIG=str(self.config)))
        wait_until(self.dagster.is_up)

    def cut_the_power(self):
        cut_off(self.servers[-1], self.home)

    def start_a_fetch_that_hangs(self, ticker, **tags):
        """Launch a run whose csv file is a pipe that nobody writes to; return its id once it holds its slot."""
        os.mkfifo(self.prices / f"{ticker}.csv")
        self.instance.add_dynamic_partitions("tickers", [ticker])
        run_id = self.launch(ticker, {"source": "csv", "csv_dir": str(self.prices)}, tags)
        wait_until(lambda: run_id in self.slots())
        return run_id

    def let_fetches_succeed(self, ticker):
        """Put prices in the place of the pipe. A process that reads from the pipe already goes on waiting."""
        prices = self.prices / f"{ticker}.new"
        SampleSource().fetch(ticker).prices.to_csv(prices)
        prices.replace(self.prices / f"{ticker}.csv")

    def launch(self, ticker, fetch, tags):
        tags = {"dagster/partition": ticker, **tags}
        launch = self.dagster.ask(
            "mutation($p: ExecutionParams!){launchPipelineExecution(executionParams: $p)"
            "{__typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}",
            p={
                "selector": {
                    **REPOSITORY,
                    "pipelineName": "retrain_model",
                    "assetSelection": [{"path": ["raw_prices"]}],
                },
                "mode": "default",
                "runConfigData": {"ops": {"raw_prices": {"config": fetch}}},
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            },
        )["launchPipelineExecution"]
        return launch["run"]["runId"]

    def report_an_old_launch(self):
        """Leave the traces of a launch whose process never came to life, older than the start timeout."""
        launch = time.time() - START_TIMEOUT
        run_id = self.instance.create_run_for_job(dg.GraphDefinition("fetch").to_job()).run_id
        event = dg.DagsterEvent("PIPELINE_STARTING", "fetch")
        self.instance.report_dagster_event(event, run_id=run_id, timestamp=launch)
        return run_id

    def failures_of(self, run_id):
        """Return the message of each event that failed the run."""
        return [log.message for log in self.instance.all_logs(run_id, dg.DagsterEventType.PIPELINE_FAILURE)]

    def retries_of(self, run_id):
        retries = self.instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": run_id}))
        return [run.status.value for run in retries]

    def slots(self):
        return {slot.run_id for slot in self.instance.event_log_storage.get_concurrency_info(POOL).claimed_slots}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine"), free_port())
    machine.turn_on()
    machine.dagster.stop_sensor("refresh_after_close")  # its runs of new tickers would take the two places for runs
    yield machine
    machine.cut_the_power()
    machine.instance.dispose()


def test_a_run_whose_worker_is_killed_fails_and_lets_go_of_its_slot(machine):
    run_id = machine.start_a_fetch_that_hangs("AAPL")
    assert machine.dagster.status(run_id) == "STARTED"

    machine.let_fetches_succeed("AAPL")
    os.kill(process_of(machine.home, run_id), signal.SIGKILL)

    wait_until(lambda: machine.dagster.status(run_id) == "FAILURE")
    wait_until(lambda: run_id not in machine.slots())
    wait_until(lambda: machine.retries_of(run_id) == ["SUCCESS"])


def test_after_a_power_cut_no_run_is_shown_as_started(machine):
    run_id = machine.start_a_fetch_that_hangs("MSFT")
    worker = process_of(machine.home, run_id)
    machine.cut_the_power()
    with suppress(ProcessLookupError):  # a worker in a group of its own would go on, which power would not let it
        os.kill(worker, signal.SIGKILL)
    machine.let_fetches_succeed("MSFT")
    machine.turn_on()

    assert machine.dagster.status(run_id) == "FAILURE"  # from the start: `zenith ui` fails dead runs before it is up
    assert machine.failures_of(run_id) == [REASON]
    assert run_id not in machine.slots()
    wait_until(lambda: machine.retries_of(run_id) == ["SUCCESS"])


def test_a_run_that_takes_longer_than_it_may_is_ended(machine):
    run_id = machine.start_a_fetch_that_hangs("IBM", **{"dagster/max_runtime": "1"})
    worker = process_of(machine.home, run_id)
    machine.let_fetches_succeed("IBM")

    # Dagster's daemon records a failure and the worker a cancellation, at the same time: the later of them stays.
    wait_until(lambda: machine.dagster.status(run_id) in ("FAILURE", "CANCELED"))
    wait_until(lambda: not Path(f"/proc/{worker}").exists())
    wait_until(lambda: run_id not in machine.slots())


def test_a_run_whose_process_never_came_to_life_fails(machine):
    run_id = machine.report_an_old_launch()

    wait_until(lambda: machine.dagster.status(run_id) == "FAILURE")
