"""Trainings of new tickers with too short a history: the run succeeds without what it cannot make, and says why."""

import dagster as dg
import pytest

from tests.pipelines.defs.test_refresh import history
from zenith_core.model_kinds.table import KINDS
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.skips import skip_reason
from zenith_pipelines.execution.ticker_run import TickerRun, _outcome
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's, of itself
    pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.BetaWarning"),
]
MODELS = {f"{kind}_model" for kind in KINDS}


@pytest.fixture
def train(monkeypatch, tmp_path):
    """A function that trains the ticker XYZ on the last `rows` sessions and returns the run's result."""
    from zenith_pipelines.definitions import defs

    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZENITH_CSV_DIR", str(tmp_path))
    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")
    with dg.DagsterInstance.ephemeral() as instance:
        add_tickers(instance, ["XYZ"])

        def train(rows):
            history()[-rows:].to_csv(tmp_path / "XYZ.csv")
            job = defs.resolve_job_def("retrain_model")
            return job.execute_in_process(instance=instance, partition_key="XYZ", raise_on_error=False)

        yield train


def steps(result, kind):
    return {event.step_key for event in result.all_events if event.event_type_value == kind}


def materialized(result):
    return [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]


def test_too_few_sessions_to_forecast_skip_all_assets_after_the_prices(train, caplog):
    result = train(200)

    assert result.success
    assert materialized(result) == ["raw_prices", "cleaned_prices"]
    assert skip_reason(result.all_events).startswith("200 sessions of history; at least ")
    assert {"serving_snapshot", "forecast_ledger", "backtest_report", *MODELS} <= steps(result, "STEP_SKIPPED")
    outcome = _outcome(TickerRun("XYZ"), result, ticker_exists=True)
    assert (outcome["status"], outcome["sessions"], set(outcome["seconds"])) == (
        "skipped",
        200,
        set(materialized(result)),
    )
    assert outcome["reason"] == skip_reason(result.all_events)
    assert [message for message in caplog.messages if "emitted no result" in message] == []


def test_too_few_sessions_to_train_skip_the_models_and_what_needs_one(train):
    result = train(400)

    assert result.success
    assert materialized(result) == ["raw_prices", "cleaned_prices", "indicator_features", "serving_snapshot"]
    assert skip_reason(result.all_events).startswith("the price moved in 400 sessions; at least ")
    assert steps(result, "ASSET_OBSERVATION") == MODELS
    assert {"production_models", "leaderboard", "lstm_backtest", "backtest_report"} <= steps(result, "STEP_SKIPPED")


def test_a_ticker_that_had_models_fails(train):
    DatasetStore(Settings().data_uri).write("production_models", "XYZ", Dataset())
    result = train(400)

    assert not result.success
    assert skip_reason(result.all_events) is None
    assert steps(result, "STEP_FAILURE") == {"serving_snapshot_enough_to_train"}
