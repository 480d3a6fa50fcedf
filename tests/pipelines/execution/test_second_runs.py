"""A ticker gets a second run only if its worker died or a database was unavailable."""

import threading
from queue import Queue

import pytest
import sqlalchemy as sa

from tests.empty_databases import put_dagster_databases
from zenith_core.errors import CorruptData, StorageUnavailable
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
from zenith_pipelines.execution.worker_pool import _ignore_outage, _process_queue
from zenith_pipelines.ingestion.sources import SOURCES

OK, FAILED = {"status": "ok"}, {"status": "failed"}
LOCKED = sa.exc.OperationalError("SELECT 1", {}, Exception("the connection was cut off"))


class Slot:
    """Returns the given outcomes in order, and records the runs."""

    def __init__(self, *answers):
        self.answers, self.runs, self.closed = list(answers), [], False

    def run(self, run):
        self.runs.append(run)
        return self.answers.pop(0)

    def close(self):
        self.closed = True


def process_queue(slot, stop=False):
    queue, outcomes, event = Queue(), {}, threading.Event()
    queue.put(TickerRun("AAPL"))
    if stop:
        event.set()
    _process_queue(queue, outcomes, slot, event)
    assert slot.closed
    return outcomes["AAPL"]


def test_a_run_that_may_succeed_is_repeated_with_a_new_id():
    slot = Slot((FAILED, True), (OK, False))

    assert process_queue(slot) == OK
    assert [run.ticker for run in slot.runs] == ["AAPL", "AAPL"]
    assert slot.runs[0].run_id != slot.runs[1].run_id


@pytest.mark.parametrize(
    ("answers", "stop"),
    [
        ([(FAILED, False)], False),  # it failed for a reason of its own
        ([(FAILED, True)], True),  # the command is about to end
        ([(FAILED, True), (FAILED, True)], False),  # there is no third run
    ],
)
def test_there_is_no_further_run(answers, stop):
    slot = Slot(*answers)

    assert process_queue(slot, stop) == FAILED
    assert slot.answers == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
@pytest.mark.parametrize(("error", "expected"), [(LOCKED, StorageUnavailable), (CorruptData("damaged"), None)])
def test_a_run_raises_if_it_failed_because_a_database_was_unavailable(monkeypatch, tmp_path, error, expected):
    class Source:
        name = "broken"

        def tickers(self):
            return []

        def fetch(self, ticker, since=None):
            raise error

    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path)
    monkeypatch.setitem(SOURCES, "broken", lambda _: Source())
    run = TickerRun("AAPL", source="broken", until="raw_prices")

    if expected:
        with pytest.raises(expected, match="raw_prices: .*the connection was cut off"):
            run_ticker(run, Progress())
    else:
        assert run_ticker(run, Progress())["reason"] == "raw_prices: damaged"


def test_a_cleanup_ignores_a_database_outage():
    def cleanup():
        raise LOCKED

    _ignore_outage(cleanup)
    with pytest.raises(ZeroDivisionError):
        _ignore_outage(lambda: 1 / 0)
