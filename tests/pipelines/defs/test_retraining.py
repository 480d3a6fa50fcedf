"""The assets of a retraining, and the runs that retrain_all_models requests."""

import dagster as dg
import pytest

from zenith_core.asset_selection import STAGES, assets_to_refresh, assets_to_retrain
from zenith_core.names import REQUESTED_BY
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.jobs import retrain_all_models
from zenith_pipelines.defs.run_requests import requester, retrain_request
from zenith_pipelines.defs.sensors import requested_retraining
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # Dagster's, of itself


@pytest.fixture
def instance(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        add_tickers(instance, ["AAPL", "IBM"])
        yield instance


@pytest.fixture
def request_runs(instance):
    """Run retrain_all_models with a config, then its sensor; return the requests and the run id, or the error."""
    from zenith_pipelines.definitions import defs

    def request_runs(**config):
        ops = {"ops": {"tickers_to_retrain": {"config": config}}} if config else {}
        result = defs.resolve_job_def("retrain_all_models").execute_in_process(
            instance=instance, run_config=ops, raise_on_error=False
        )
        if not result.success:
            (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
            return failure.step_failure_data.error.cause.message
        (event,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_SUCCESS"]
        context = dg.build_run_status_sensor_context(
            sensor_name="requested_retraining",
            dagster_run=result.dagster_run,
            dagster_event=event,
            dagster_instance=instance,
        )
        return list(requested_retraining(context)), result.run_id

    return request_runs


def test_a_retraining_of_one_model_leaves_the_other_unchanged():
    assert assets_to_retrain("all") == STAGES
    assert set(STAGES) - set(assets_to_retrain("lstm")) == {"ensemble_model", "ensemble_backtest"}
    assert set(STAGES) - set(assets_to_retrain("ensemble")) == {"lstm_model", "lstm_backtest"}


def test_a_run_names_the_key_schedule_or_sensor_that_requested_it():
    assert requester({"dagster/schedule_name": "weekly_retraining"}) == "schedule weekly_retraining"
    assert requester({"dagster/sensor_name": "retraining_on_drift"}) == "sensor retraining_on_drift"
    assert requester({"dagster/sensor_name": "requested_retraining", REQUESTED_BY: "REST API, key 2"}) == (
        "REST API, key 2"
    )
    assert requester({"dagster/partition": "AAPL"}) is None


def test_a_requested_retraining_passes_its_requester_on():
    assert retrain_request("AAPL", run_key="1", by="REST API, key 1").tags[REQUESTED_BY] == "REST API, key 1"
    assert REQUESTED_BY not in retrain_request("AAPL", run_key="1").tags


def test_a_refresh_trains_nothing_and_scores_forecasts():
    assert assets_to_refresh(forecasts=True) == (
        "raw_prices",
        "cleaned_prices",
        "indicator_features",
        "serving_snapshot",
        "forecast_ledger",
    )
    assert assets_to_refresh(forecasts=False) == assets_to_refresh(forecasts=True)[:-1]


@pytest.mark.parametrize("model_type", ["lstm", "ensemble", "all"])
def test_the_job_accepts_each_request(model_type):
    from zenith_pipelines.definitions import defs

    request = retrain_request("AAPL", run_key="1", model_type=model_type, epochs=3)
    job = defs.resolve_job_def(request.job_name)
    job = job.get_subset(asset_selection=request.asset_selection and set(request.asset_selection))
    assert dg.validate_run_config(job, request.run_config)["ops"]


@pytest.mark.parametrize(
    ("model_type", "ops"), [("lstm", {"lstm_model"}), ("ensemble", set()), ("all", {"lstm_model"})]
)
def test_epochs_apply_to_the_lstm_only(model_type, ops):
    request = retrain_request("AAPL", run_key="1", model_type=model_type, epochs=3)

    assert set(request.run_config.get("ops", {})) == ops


def test_the_tickers_are_requested_in_batches(request_runs, monkeypatch):
    monkeypatch.setenv("ZENITH_BATCH_SIZE", "1")
    requests, run_id = request_runs()

    assert [(request.job_name, request.run_key) for request in requests] == [
        ("retrain_batch", f"AAPL-{run_id}"),
        ("retrain_batch", f"IBM-{run_id}"),
    ]
    assert [batch_of(request) for request in requests] == [{"tickers": ["AAPL"]}, {"tickers": ["IBM"]}]


@pytest.mark.slow
def test_the_config_selects_tickers_models_and_epochs(request_runs):
    DatasetStore(Settings().data_uri).write("ensemble_model", "IBM", Dataset())

    (request,), _ = request_runs(tickers=["ibm"], model_type="lstm", epochs=3)

    assert batch_of(request) == {"tickers": ["IBM"], "model_type": "lstm", "epochs": 3}


def batch_of(request):
    return request.run_config["ops"]["retrain_each"]["config"]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"tickers": ["MSFT"]}, "MSFT: not among the tickers"),
        ({"tickers": ["../etc"]}, "not a ticker"),
        ({"model_type": "lstm"}, "AAPL has no ensemble model yet: train all of them the first time"),
    ],
)
def test_an_impossible_retraining_fails_before_any_run_is_launched(request_runs, config, reason):
    assert reason in request_runs(**config)


def test_the_job_is_described():
    assert "retrain_model for each" in retrain_all_models.description
