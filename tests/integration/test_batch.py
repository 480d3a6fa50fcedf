import multiprocessing
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests import forked
from tests.empty_databases import put_dagster_databases
from tests.waiting import PATIENCE
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
    forked.fork_workers(monkeypatch)


def prices_of(*tickers, until="raw_prices"):
    return [TickerRun(ticker, source="sample", until=until) for ticker in tickers]


def test_two_tickers_at_a_time_end_in_the_order_asked_and_tell_their_stages():
    seen = set()

    outcomes = run_batch(
        prices_of("MSFT", "AAPL", until="cleaned_prices"),
        2,
        lambda update: seen.add((update.ticker, update.stage, update.done)),
    )

    assert [(ticker, outcome["status"]) for ticker, outcome in outcomes.items()] == [("MSFT", "ok"), ("AAPL", "ok")]
    assert seen == {
        (t, stage, step) for t in ("AAPL", "MSFT") for stage in ("raw_prices", "cleaned_prices") for step in (0, 1)
    }


def test_a_ticker_whose_worker_is_killed_gets_a_second_run_and_fails_with_that_and_the_next_goes_on():
    def kill(update):
        if (update.stage, update.done) == ("raw_prices", 0) and (update.ticker, kills[update.ticker]) != ("AAPL", 1):
            kills[update.ticker] += 1
            for child in multiprocessing.active_children():
                child.kill()

    kills = Counter()
    runs = prices_of("MSFT", "AAPL")

    outcomes = run_batch(runs, 1, kill)

    assert kills == {"MSFT": 2, "AAPL": 1}
    assert outcomes["MSFT"] == {"status": "failed", "reason": "the process of the run was killed", "exit_code": 1}
    assert outcomes["AAPL"]["status"] == "ok"
    with open_instance(Settings()) as instance:
        all_runs = instance.get_runs()
        assert [run.status.value for run in all_runs] == ["SUCCESS", "FAILURE", "FAILURE", "FAILURE"]
        assert (all_runs[3].run_id, all_runs[1].run_id) == (
            runs[0].run_id,
            runs[1].run_id,
        )  # the second runs have new ids
        assert instance.event_log_storage.get_concurrency_run_ids() == set()  # they were killed with a slot of the pool


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

    assert worker.communicate(timeout=PATIENCE) == ("", None)  # nobody holds its output open
    assert worker.returncode == -signal.SIGKILL
