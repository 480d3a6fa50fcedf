"""Batches: a ticker that fails fails alone, and a batch that is repeated after its death does nothing twice."""

from contextlib import contextmanager

import dagster as dg
import pytest

from zenith_core.asset_selection import REFRESH_BATCH, RETRAIN, RETRAIN_BATCH, STAGES
from zenith_core.names import REQUESTED_BY
from zenith_pipelines.dagster_runtime.dead_runs import REASON, earlier_attempts
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs import batches, jobs
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.defs.run_requests import BATCH, batch_requests
from zenith_pipelines.defs.skips import skipped
from zenith_pipelines.tickers import add_tickers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's, of itself
]

TICKERS = ["AAPL", "IBM", "MSFT"]
executed = []


MODEL, LAST = "lstm_model", "leaderboard"


def make_asset(stage):
    @dg.asset(
        name=stage, partitions_def=ticker_partitions, deps=[MODEL] if stage == LAST else [], output_required=False
    )
    def asset(context: dg.AssetExecutionContext, zenith: ZenithResource):
        if (context.partition_key, stage) == ("FB", MODEL):
            yield skipped(MODEL, "FB", "196 sessions")
            return
        if stage in (MODEL, LAST):
            executed.append((context.partition_key, stage))
        if (context.partition_key, stage) == ("IBM", MODEL):
            raise ValueError("wrong")
        if (context.partition_key, stage) == ("MSFT", "production_models"):
            zenith.store.write(stage, "MSFT", Dataset(facts={"lstm": {"promoted": True}}))
        yield dg.MaterializeResult()

    return asset


@dg.asset_check(asset=MODEL)
def is_trained() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def job_by_name(name):
    return location.resolve_job_def(name)


location = dg.Definitions(
    assets=[make_asset(stage) for stage in STAGES],
    asset_checks=[is_trained],
    jobs=[dg.define_asset_job(RETRAIN, selection="*"), jobs.draw_report, batches.retrain_batch],
    resources={"zenith": ZenithResource(), "job_by_name": job_by_name},
    executor=dg.in_process_executor,
)


@pytest.fixture
def instance(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    executed.clear()
    with dg.DagsterInstance.ephemeral() as instance:
        add_tickers(instance, TICKERS)
        yield instance


@pytest.fixture
def run_batch(instance):
    """Run a batch, with tags if it repeats another; return its run and the outcomes by ticker."""

    def run_batch(*tickers, **tags):
        (request,) = batch_requests(RETRAIN_BATCH, tickers, 10, run_key="sunday")
        result = location.resolve_job_def(RETRAIN_BATCH).execute_in_process(
            instance=instance, run_config=request.run_config, tags=tags
        )
        (output,) = [event for event in result.all_events if event.event_type_value == "STEP_OUTPUT"]
        return result.dagster_run, output.step_output_data.metadata["outcomes"].value

    return run_batch


def retry_of(batch):
    """The tags of the run by which Dagster's daemon repeats a batch."""
    return {"dagster/parent_run_id": batch.run_id, "dagster/retry_number": "1"}


def runs_of(instance, ticker):
    return instance.get_runs(dg.RunsFilter(tags={"dagster/partition": ticker}))


def leave_dead_run(instance, ticker, batch, assets):
    """Leave the run of a ticker whose process was killed after `assets` and their checks."""
    run = (
        location.resolve_job_def(RETRAIN)
        .execute_in_process(
            instance=instance,
            partition_key=ticker,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            tags={BATCH: batch.run_id},
        )
        .dagster_run
    )
    instance.report_run_failed(run, message=REASON)
    executed.clear()
    return run


def test_each_ticker_has_a_run_of_its_own_and_one_that_fails_fails_alone(instance, run_batch):
    batch, outcomes = run_batch(*TICKERS, "GONE")

    assert outcomes == {
        "AAPL": "ok",
        "IBM": "failed: lstm_model: ValueError: wrong",
        "MSFT": "ok",
        "GONE": "removed",
    }
    assert batch.status is dg.DagsterRunStatus.SUCCESS
    assert {ticker: [run.status.value for run in runs_of(instance, ticker)] for ticker in TICKERS} == {
        "AAPL": ["SUCCESS"],
        "IBM": ["FAILURE"],
        "MSFT": ["SUCCESS", "SUCCESS"],  # the training, and the report of the model that it promoted
    }
    assert instance.get_materialized_partitions(dg.AssetKey(LAST)) == {"AAPL", "MSFT"}
    assert instance.get_materialized_partitions(dg.AssetKey("backtest_report")) == {"MSFT"}
    (run,) = runs_of(instance, "AAPL")
    assert (run.job_name, run.tags[BATCH]) == (RETRAIN, batch.run_id)


def test_a_ticker_that_is_skipped_is_no_failure(instance, run_batch):
    add_tickers(instance, ["FB"])
    batch, outcomes = run_batch("FB", "AAPL")

    assert outcomes == {"FB": "skipped: 196 sessions", "AAPL": "ok"}
    assert [run.status.value for run in (batch, *runs_of(instance, "FB"))] == ["SUCCESS", "SUCCESS"]
    assert ("FB", LAST) not in executed


def test_the_runs_name_the_origin_of_their_batch(instance, run_batch):
    run_batch("AAPL", **{"dagster/schedule_name": "weekly_retraining"})

    assert runs_of(instance, "AAPL")[0].tags[REQUESTED_BY] == "schedule weekly_retraining"


def test_a_repeated_batch_goes_on_with_the_unfinished_assets_of_the_ticker_at_which_it_died(instance, run_batch):
    batch, _ = run_batch("AAPL", "IBM")
    dead = leave_dead_run(instance, "MSFT", batch, [MODEL])

    _, outcomes = run_batch(*TICKERS, **retry_of(batch))

    assert outcomes == {"AAPL": "done before", "IBM": "done before", "MSFT": "ok"}
    assert executed == [("MSFT", LAST)]
    (retry,) = instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": dead.run_id}))
    assert earlier_attempts(instance, retry.run_id) == {dead.run_id}  # a version that it registered is taken over


def test_a_batch_that_a_person_repeats_does_all_again(run_batch):
    batch, _ = run_batch("AAPL")

    assert run_batch("AAPL", **{"dagster/parent_run_id": batch.run_id})[1] == {"AAPL": "ok"}


def test_a_ticker_that_kills_its_process_twice_does_not_end_the_batch(instance, run_batch):
    batch, _ = run_batch("IBM")
    for _ in range(2):
        leave_dead_run(instance, "AAPL", batch, [MODEL])

    _, outcomes = run_batch("AAPL", "MSFT", **retry_of(batch))

    assert outcomes == {"AAPL": "failed: its process died 2 times", "MSFT": "ok"}
    assert executed == [("MSFT", MODEL), ("MSFT", LAST)]


def test_a_ticker_waits_for_another_run_of_it(run_batch, monkeypatch):
    locks = []
    hold = batches.hold_ticker

    @contextmanager
    def hold_and_note(*arguments):
        ticker = arguments[1]
        with hold(*arguments):
            assert executed == locks
            yield
        locks.extend([(ticker, MODEL), (ticker, LAST)])

    monkeypatch.setattr(batches, "hold_ticker", hold_and_note)

    assert run_batch("AAPL", "MSFT")[1] == {"AAPL": "ok", "MSFT": "ok"}
    assert executed == locks


def test_the_tickers_are_divided_into_batches_that_may_be_retried_to_their_end():
    requests = batch_requests(REFRESH_BATCH, ["A", "B", "C", "D", "E"], 2, run_key="2026-11-27", by="REST API, key 1")

    assert [request.run_key for request in requests] == ["A-2026-11-27", "C-2026-11-27", "E-2026-11-27"]
    assert [request.run_config["ops"]["refresh_each"]["config"] for request in requests] == [
        {"tickers": ["A", "B"]},
        {"tickers": ["C", "D"]},
        {"tickers": ["E"]},
    ]
    assert [request.tags["dagster/max_retries"] for request in requests] == ["4", "4", "2"]
    assert [request.tags["dagster/max_runtime"] for request in requests] == ["14400", "14400", "7200"]
    assert {request.tags[REQUESTED_BY] for request in requests} == {"REST API, key 1"}
