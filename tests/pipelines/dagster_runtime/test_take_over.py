"""A stack takes over the tickers and asset records of its home, once, and goes its own way afterwards."""

import dagster as dg
import pytest

from tests.empty_databases import put_dagster_databases
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.take_over import take_over
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers, known_tickers, removed_tickers

PRICES = dg.AssetKey("raw_prices")

pytestmark = pytest.mark.slow  # several databases of Dagster each


@pytest.fixture
def instances(tmp_path, monkeypatch):
    """The instance of `zenith run`, which has AAPL and had FB, and that of a new stack."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    for name in ("home", "stack"):
        put_dagster_databases(tmp_path / name)
    with (
        open_instance(Settings(zenith_home=tmp_path / "home")) as home,
        open_instance(Settings(zenith_home=tmp_path / "stack")) as stack,
    ):
        add_tickers(home, ["AAPL"])
        for ticker in ("AAPL", "FB"):
            record_prices(home, ticker, rows=1)
        yield home, stack


def record_prices(instance, ticker, rows):
    instance.report_runless_asset_event(
        dg.AssetMaterialization(PRICES, partition=ticker, metadata={"rows": rows}, tags={"dagster/data_version": "d1"})
    )


def records(instance, ticker):
    of_ticker = dg.AssetRecordsFilter(asset_key=PRICES, asset_partitions=[ticker])
    return [record.asset_materialization for record in instance.fetch_materializations(of_ticker, limit=9).records]


def test_tickers_and_the_newest_record_of_each_asset_are_taken_over(instances, tmp_path):
    home, stack = instances
    record_prices(home, "AAPL", rows=2)

    assert take_over(stack, tmp_path / "home" / "dagster") == ["AAPL"]

    assert known_tickers(stack) == ["AAPL"]
    assert removed_tickers(stack) == {"FB"}
    (record,) = records(stack, "AAPL")
    assert (record.metadata["rows"].value, record.tags["dagster/data_version"]) == (2, "d1")


def test_the_next_start_takes_over_only_what_is_new(instances, tmp_path):
    home, stack = instances
    take_over(stack, tmp_path / "home" / "dagster")
    stack.delete_dynamic_partition("tickers", "AAPL")
    add_tickers(home, ["MSFT"])
    record_prices(home, "MSFT", rows=3)

    assert take_over(stack, tmp_path / "home" / "dagster") == ["MSFT"]
    assert take_over(stack, tmp_path / "home" / "dagster") == []

    assert known_tickers(stack) == ["MSFT"]
    assert (len(records(stack, "AAPL")), len(records(stack, "MSFT"))) == (1, 1)


def test_nothing_changes_in_the_home(instances, tmp_path):
    home, stack = instances
    take_over(stack, tmp_path / "home" / "dagster")

    assert known_tickers(home) == ["AAPL"]
    assert len(records(home, "AAPL")) == 1


def test_a_killed_start_is_repeated(instances, tmp_path, monkeypatch):
    _, stack = instances

    def die(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(stack, "report_runless_asset_event", die)
        take_over(stack, tmp_path / "home" / "dagster")
    take_over(stack, tmp_path / "home" / "dagster")

    assert (known_tickers(stack), len(records(stack, "AAPL"))) == (["AAPL"], 1)


def test_a_home_without_runs_has_nothing_to_take_over(instances, tmp_path):
    _, stack = instances

    assert take_over(stack, tmp_path / "none" / "dagster") == []
    assert not (tmp_path / "none").exists()
