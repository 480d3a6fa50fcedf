import multiprocessing
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.empty_databases import put_dagster_databases
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.execution.ticker_run import TickerRun
from zenith_pipelines.execution.worker_pool import _kill, run_batch
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    put_dagster_databases(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def prices_of(*tickers):
    return [TickerRun(ticker, source="sample", until="cleaned_prices") for ticker in tickers]


def test_two_tickers_at_a_time_end_in_the_order_asked_and_tell_their_stages():
    seen = set()

    outcomes = run_batch(
        prices_of("MSFT", "AAPL"), 2, lambda update: seen.add((update.ticker, update.stage, update.done))
    )

    assert [(ticker, outcome["status"]) for ticker, outcome in outcomes.items()] == [("MSFT", "ok"), ("AAPL", "ok")]
    assert seen == {
        (t, stage, done) for t in ("AAPL", "MSFT") for stage in ("raw_prices", "cleaned_prices") for done in (0, 1)
    }


def test_a_ticker_whose_worker_is_killed_gets_a_second_run():
    def kill_once(update):
        if (update.stage, update.done) == ("cleaned_prices", 0) and not killed:
            killed.extend(multiprocessing.active_children())
            for child in killed:
                child.kill()

    killed = []
    (run,) = prices_of("MSFT")

    outcomes = run_batch([run], 1, kill_once)

    assert outcomes["MSFT"]["status"] == "ok"
    with open_instance(Settings()) as instance:
        second, first = instance.get_runs()
        assert (first.run_id, first.status.value, second.status.value) == (run.run_id, "FAILURE", "SUCCESS")


def test_a_worker_that_is_killed_each_time_fails_its_own_ticker_and_the_next_goes_on():
    def kill(update):
        if (update.ticker, update.stage, update.done) == ("MSFT", "raw_prices", 0):
            for child in multiprocessing.active_children():
                child.kill()

    runs = prices_of("MSFT", "AAPL")

    outcomes = run_batch(runs, 1, kill)

    assert outcomes["MSFT"] == {"status": "failed", "reason": "the process of the run was killed", "exit_code": 1}
    assert outcomes["AAPL"]["status"] == "ok"
    with open_instance(Settings()) as instance:
        assert [run.status.value for run in instance.get_runs()] == ["SUCCESS", "FAILURE", "FAILURE"]
        assert instance.event_log_storage.get_concurrency_run_ids() == set()  # it was killed with a slot of the pool


def test_a_run_that_raises_fails_its_own_ticker_and_the_next_goes_on():
    same = prices_of("MSFT")[0]  # Dagster refuses a second run of that id

    outcomes = run_batch([same, replace(same, ticker="IBM"), *prices_of("AAPL")], 1, lambda _: None)

    assert [outcome["status"] for outcome in outcomes.values()] == ["ok", "failed", "ok"]
    assert outcomes["IBM"] == {"status": "failed", "reason": "DagsterRunAlreadyExists", "exit_code": 1}


def test_a_worker_is_killed_with_what_it_started():
    code = (
        "import os, subprocess, time; os.setpgrp(); print(subprocess.Popen(['sleep', '600']).pid, flush=True); input()"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker.stdout.readline()

    _kill(SimpleNamespace(pid=worker.pid, kill=worker.kill))

    assert worker.communicate(timeout=30) == ("", None)  # nobody holds its output open
    assert worker.returncode == -signal.SIGKILL
