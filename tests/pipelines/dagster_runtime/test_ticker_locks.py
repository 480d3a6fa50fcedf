"""The lock of a ticker, which a run holds while it makes the datasets; a lock of the test is another process."""

from threading import Event, Thread

import dagster as dg
import pytest
from filelock import FileLock, Timeout

from tests.waiting import PATIENCE
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.dagster_runtime.run_locks import hold_ticker
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    return Settings()


@pytest.fixture
def other(settings):
    """The lock of AAPL in another process."""
    with hold_ticker(settings, "AAPL"):
        pass
    return FileLock(dagster_home(settings) / "alive" / "tickers" / "AAPL.lock")


def test_one_process_at_a_time_holds_a_ticker(settings, other, caplog):
    entered = Event()

    def work():
        with hold_ticker(settings, "AAPL"):
            entered.set()

    thread = Thread(target=work)
    with other:
        thread.start()
        assert not entered.wait(0.2)
        with hold_ticker(settings, "IBM"):
            pass
    thread.join(PATIENCE)
    assert entered.is_set()
    assert caplog.messages == ["AAPL: waiting until another run of this ticker ends"]


def test_the_calls_of_a_process_nest(settings, other):
    with hold_ticker(settings, "AAPL"):
        with hold_ticker(settings, "AAPL"):
            pass
        with pytest.raises(Timeout):
            other.acquire(blocking=False)
    with other.acquire(blocking=False):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
def test_a_run_holds_its_ticker_to_its_end(settings, other):
    @dg.asset(partitions_def=ticker_partitions)
    def prices(zenith: ZenithResource) -> None:
        with pytest.raises(Timeout):
            other.acquire(blocking=False)

    with open_instance(settings) as instance:
        add_tickers(instance, ["AAPL"])
        result = dg.materialize(
            [prices], instance=instance, partition_key="AAPL", resources={"zenith": ZenithResource()}
        )
    assert result.success
    with other.acquire(blocking=False):
        pass
