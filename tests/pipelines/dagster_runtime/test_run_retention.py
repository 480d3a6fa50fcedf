"""Old runs are deleted with their files; one that made the latest of an asset or of a partition stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from tests.empty_databases import put_dagster_databases
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.run_retention import purge_runs
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow  # several runs of Dagster each

TICKERS = dg.DynamicPartitionsDefinition(name="tickers")
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@dg.asset(partitions_def=TICKERS)
def prices():
    """Prices of a ticker."""


@dg.asset(partitions_def=TICKERS)
def models():
    """Models of a ticker."""


@dg.asset_check(asset=prices)
def complete():
    """A check of prices."""
    return dg.AssetCheckResult(passed=True)


@dg.asset
def summary():
    """An asset without partitions."""


@dg.op
def fail():
    """Fail."""
    raise dg.Failure("on purpose")


@dg.job
def failing():
    """A job that makes nothing."""
    fail()


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path)
    with open_instance(Settings(zenith_home=tmp_path, database_url=None)) as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL", "IBM"])
        yield instance


def run(instance, *assets, ticker=None):
    return dg.materialize(list(assets), instance=instance, partition_key=ticker).run_id


def files(instance):
    """The files of all runs, by run."""
    return {path.name.partition(".")[0] for path in Path(instance.root_directory, "history", "runs").glob("*-*.db")}


def test_runs_that_made_the_latest_of_an_asset_stay_and_others_go_with_their_events(instance):
    retraining = run(instance, prices, models, ticker="AAPL")
    old_refresh = run(instance, prices, ticker="AAPL")
    refresh = run(instance, prices, ticker="AAPL")
    other = run(instance, prices, models, ticker="IBM")
    old_summary, new_summary = run(instance, summary), run(instance, summary)
    failed = failing.execute_in_process(instance=instance, raise_on_error=False).run_id
    everything = {retraining, old_refresh, refresh, other, old_summary, new_summary, failed}
    assert files(instance) == everything

    planned = purge_runs(instance, TOMORROW, dry_run=True)
    assert {one.run_id for one in instance.get_runs()} == everything
    report = purge_runs(instance, TOMORROW)

    kept = {retraining, refresh, other, new_summary}
    assert {one.run_id for one in instance.get_runs()} == kept
    assert files(instance) == kept
    assert report == planned
    assert report["runs"] == 3
    assert report["bytes"] > 0
    assert instance.get_materialized_partitions(dg.AssetKey("models")) == {"AAPL", "IBM"}
    assert purge_runs(instance, TOMORROW) == {"runs": 0, "bytes": 0}


def test_young_runs_and_runs_that_have_not_ended_stay(instance):
    run(instance, summary), run(instance, summary)
    active = instance.create_run_for_job(failing, status=dg.DagsterRunStatus.STARTED).run_id

    assert purge_runs(instance, datetime.now(UTC) - timedelta(days=1)) == {"runs": 0, "bytes": 0}
    assert purge_runs(instance, TOMORROW)["runs"] == 1
    assert instance.get_run_by_id(active)


def test_of_old_results_of_a_check_the_latest_stays(instance):
    def results():
        rows = instance.event_log_storage.get_asset_check_execution_history(complete.check_key, limit=10)
        return [row.run_id for row in rows]

    older, newer = (run(instance, prices, complete, ticker="AAPL") for _ in range(2))
    purge_runs(instance, datetime.now(UTC) - timedelta(days=1))
    purge_runs(instance, TOMORROW, dry_run=True)
    assert results() == [newer, older]

    purge_runs(instance, TOMORROW)
    assert results() == [newer]
