"""Which tickers of a batch get a second run: those whose first one could not help it."""

import threading
from queue import Queue

import pytest
import sqlalchemy as sa

from zenith_core.errors import CorruptData, StorageUnavailable
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
from zenith_pipelines.execution.worker_pool import _ignore_outage, _process_queue
from zenith_pipelines.ingestion.sources import SOURCES

OK, FAILED = {"status": "ok"}, {"status": "failed"}
LOCKED = sa.exc.OperationalError("SELECT 1", {}, Exception("the connection was cut off"))


class Slot:
    """Hands out the outcomes that it was given, and remembers the runs."""

    def __init__(self, *answers):
        self.answers, self.runs, self.closed = list(answers), [], False

    def run(self, run):
        self.runs.append(run)
        return self.answers.pop(0)

    def close(self):
        self.closed = True


def work_off(slot, stopped=False):
    todo, outcomes, stop = Queue(), {}, threading.Event()
    todo.put(TickerRun("AAPL"))
    if stopped:
        stop.set()
    _process_queue(todo, outcomes, slot, stop)
    assert slot.closed
    return outcomes["AAPL"]


def test_a_run_that_could_not_help_it_is_followed_by_another_of_its_own_id():
    slot = Slot((FAILED, True), (OK, False))

    assert work_off(slot) == OK
    assert [run.ticker for run in slot.runs] == ["AAPL", "AAPL"]
    assert slot.runs[0].run_id != slot.runs[1].run_id


@pytest.mark.parametrize(
    ("answers", "stopped"),
    [
        ([(FAILED, False)], False),  # it failed of itself
        ([(FAILED, True)], True),  # the command is about to end
        ([(FAILED, True), (FAILED, True)], False),  # there is no third
    ],
)
def test_there_is_no_further_run(answers, stopped):
    slot = Slot(*answers)

    assert work_off(slot, stopped) == FAILED
    assert slot.answers == []


@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # Dagster's own, of itself
@pytest.mark.parametrize(("error", "raised"), [(LOCKED, StorageUnavailable), (CorruptData("damaged"), None)])
def test_a_run_that_fails_since_a_database_went_away_says_so_by_an_error(monkeypatch, tmp_path, error, raised):
    class Source:
        name = "broken"

        def tickers(self):
            return []

        def fetch(self, ticker, since=None):
            raise error

    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setitem(SOURCES, "broken", lambda _: Source())
    run = TickerRun("AAPL", source="broken", until="raw_prices")

    if raised:
        with pytest.raises(raised, match="raw_prices: .*the connection was cut off"):
            run_ticker(run, Progress())
    else:
        assert run_ticker(run, Progress())["reason"] == "raw_prices: damaged"


def test_a_burial_is_put_off_while_the_database_is_away():
    def fail_dead_run():
        raise LOCKED

    _ignore_outage(fail_dead_run)
    with pytest.raises(ZeroDivisionError):
        _ignore_outage(lambda: 1 / 0)
