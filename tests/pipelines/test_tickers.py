"""Removed tickers are neither scheduled nor served, and no run in progress brings them back."""

import dagster as dg
import pytest

from tests.empty_databases import put_dagster_databases
from tests.runs_here import fetch_short_history
from zenith_core.errors import NotAvailable, RemovedTicker, UserError
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.sensors import tickers_in_step
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import SERVED, add_tickers, known_tickers, remove_tickers, require_ticker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # raised inside Dagster
]


@pytest.fixture
def instance(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    put_dagster_databases(tmp_path / "home")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(Settings()) as instance:
        yield instance


@pytest.fixture
def store(instance):
    return DatasetStore(Settings().data_uri)


def test_tickers_are_added_once(instance):
    assert add_tickers(instance, ["MSFT", "AAPL"]) == ["MSFT", "AAPL"]
    assert add_tickers(instance, ["AAPL", "IBM"]) == ["IBM"]
    assert known_tickers(instance) == ["AAPL", "IBM", "MSFT"]


def test_a_removed_ticker_is_no_longer_served_and_keeps_its_data(instance, store):
    add_tickers(instance, ["AAPL", "IBM"])
    for name in (SERVED, "cleaned_prices"):
        store.write(name, "AAPL", Dataset(facts={"as_of": "2024-01-02"}))

    assert remove_tickers(instance, Settings(), ["AAPL"]) == ["AAPL"]

    assert known_tickers(instance) == ["IBM"]
    assert not store.exists(SERVED, "AAPL")
    assert store.facts("cleaned_prices", "AAPL") == {"as_of": "2024-01-02"}


def test_all_are_removed_or_none(instance):
    add_tickers(instance, ["AAPL"])

    with pytest.raises(NotAvailable, match=r"^IBM: not among the tickers"):
        remove_tickers(instance, Settings(), ["AAPL", "IBM"])

    assert known_tickers(instance) == ["AAPL"]


def test_a_ticker_that_the_setting_names_is_not_removed(instance):
    add_tickers(instance, ["AAPL"])

    with pytest.raises(UserError, match="AAPL: ZENITH_TICKERS would add it again"):
        remove_tickers(instance, Settings(zenith_tickers="IBM,AAPL"), ["AAPL"])


@pytest.mark.parametrize("key", ["../../etc", "aapl", "AAPL,MSFT", "ＡＡＰＬ", "AAPL.XX"])
def test_an_invalid_partition_fails_with_one_line_before_any_file_access(instance, tmp_path, key):
    from zenith_pipelines.definitions import definitions

    instance.add_dynamic_partitions("tickers", [key])
    before = {path for path in tmp_path.rglob("*") if "dagster" not in path.parts}
    result = (
        definitions(Progress())
        .resolve_job_def("retrain_model")
        .execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
    )

    (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    message = failure.step_failure_data.error.cause.message
    assert (failure.step_key, message.count("\n")) == ("raw_prices", 1)
    assert message.startswith("zenith_core.errors.InvalidTicker: ")
    assert {path for path in tmp_path.rglob("*") if "dagster" not in path.parts} == before
    assert known_tickers(instance) == []


class RemovesAfter(Progress):
    """Removes the ticker after a stage, as another process would."""

    def __init__(self, stage):
        self.stage = stage

    def update(self, stage, step, total):
        if (stage, step) == (self.stage, 1):
            with open_instance(Settings()) as instance:
                remove_tickers(instance, Settings(), ["IBM"])


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["raw_prices", "indicator_features"])
def test_a_run_of_a_removed_ticker_ends_with_the_reason_and_is_not_served(instance, store, stage, monkeypatch):
    fetch_short_history(monkeypatch)

    outcome = run_ticker(TickerRun("IBM", source="sample", until="serving_snapshot"), RemovesAfter(stage))

    assert outcome["status"] == "failed"
    assert outcome["reason"] == "IBM was removed from the tickers: the run stops, and nothing of it is served"
    assert not store.exists(SERVED, "IBM")
    assert known_tickers(instance) == []


def test_a_snapshot_stored_while_its_ticker_was_removed_is_withdrawn(instance, store, monkeypatch):
    """The ticker exists before the write, and not after it."""

    @dg.asset(name=SERVED, partitions_def=dg.DynamicPartitionsDefinition(name="tickers"))
    def snapshot() -> Dataset:
        return Dataset(facts={"as_of": "2024-01-02"})

    from zenith_pipelines.defs.resources import resources

    write = DatasetStore.write

    def remove_and_write(self, *arguments, **options):
        instance.delete_dynamic_partition("tickers", "AAPL")
        return write(self, *arguments, **options)

    add_tickers(instance, ["AAPL"])
    monkeypatch.setattr(DatasetStore, "write", remove_and_write)
    with pytest.raises(RemovedTicker):
        dg.materialize([snapshot], instance=instance, partition_key="AAPL", resources=resources(Progress()))

    assert not store.exists(SERVED, "AAPL")


def test_a_ticker_comes_back_when_it_is_added_and_materialized_again(instance, store):
    add_tickers(instance, ["AAPL"])
    store.write(SERVED, "AAPL", Dataset(facts={"as_of": "2024-01-02"}))
    remove_tickers(instance, Settings(), ["AAPL"])

    add_tickers(instance, ["AAPL"])
    assert require_ticker(instance, "AAPL") == "AAPL"
    store.write(SERVED, "AAPL", Dataset(facts={"as_of": "2024-01-03"}))

    assert store.facts(SERVED, "AAPL") == {"as_of": "2024-01-03"}


def sync(instance, cursor=None):
    """Evaluate the sensor, carry out its requests as the daemon does, and return its cursor."""
    result = tickers_in_step(dg.build_sensor_context(instance=instance, cursor=cursor))
    for request in result.dynamic_partitions_requests:
        if isinstance(request, dg.AddDynamicPartitionsRequest):
            instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        else:
            for key in request.partition_keys:
                instance.delete_dynamic_partition(request.partitions_def_name, key)
    return result.cursor


def test_the_sensor_syncs_the_tickers_with_the_setting(instance, store, monkeypatch):
    add_tickers(instance, ["IBM"])
    monkeypatch.setenv("ZENITH_TICKERS", "IBM, aapl")
    cursor = sync(instance)
    assert known_tickers(instance) == ["AAPL", "IBM"]

    for ticker in ("AAPL", "IBM"):
        store.write(SERVED, ticker, Dataset())
    monkeypatch.delenv("ZENITH_TICKERS")
    cursor = sync(instance, sync(instance, cursor))

    assert known_tickers(instance) == ["IBM"]  # a person added it
    assert (store.exists(SERVED, "AAPL"), store.exists(SERVED, "IBM")) == (False, True)


def test_the_sensor_withdraws_tickers_that_the_ui_removed_from_serving(instance, store):
    add_tickers(instance, ["AAPL"])
    store.write(SERVED, "AAPL", Dataset())
    cursor = sync(instance)
    instance.delete_dynamic_partition("tickers", "AAPL")  # as the UI does

    sync(instance, cursor)

    assert not store.exists(SERVED, "AAPL")
