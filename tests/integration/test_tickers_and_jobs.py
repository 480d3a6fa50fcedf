"""Tickers and jobs as people use them: by the command, on real prices and real runs."""

import json
import os
import signal
import subprocess
import sys

import dagster as dg
import pytest

from tests.integration.conftest import ZENITH
from tests.integration.dagster_ui import process_of
from tests.runs_here import fetch_short_history
from tests.waiting import PATIENCE, wait_until
from zenith_core.asset_selection import REFRESH_ASSETS
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow

TRAIN = ("--config", "model_type=lstm", "--config", "epochs=500")


def test_a_refresh_brings_prices_and_forecasts_up_to_date_and_trains_nothing(sample_home):
    before = sample_home.document["tickers"]["AAPL"]

    document = json.loads(sample_home.zenith.here("job", "refresh_prices", "--tickers", "AAPL", "--json").stdout)

    assert document["job"] == "refresh_prices"
    aapl = document["tickers"]["AAPL"]
    assert (aapl["status"], set(aapl["seconds"]), aapl["models"]) == ("ok", set(REFRESH_ASSETS), {})
    assert aapl["raw"]["new_snapshot"] is False
    assert aapl["forecast"] == before["forecast"]


@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
def test_a_job_that_is_one_asset_says_what_it_recorded(sample_home):
    document = json.loads(
        sample_home.zenith.here("job", "evaluate_model", "--config", "model_type=lstm", "--json", status=2).stdout
    )

    assert document["tickers"]["FB"]["status"] == "failed"  # too short to have a model
    aapl = document["tickers"]["AAPL"]
    assert (aapl["status"], aapl["breaches"]) == ("ok", [])
    assert not any(key.startswith("ensemble/") for key in aapl)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_training_that_is_killed_fails_and_is_tried_once_more_and_production_stays(sample_home):
    settings = Settings(zenith_home=sample_home.zenith.home)
    registry = ModelRegistry(settings.tracking_uri, settings.artifact_root)
    before = {name: [version.version for version in registry.versions(name)] for name in ("lstm-AAPL", "ensemble-AAPL")}
    production = {name: registry.production(name).version for name in before}

    earlier = set(statuses(settings))

    with retraining(sample_home.zenith.home, "AAPL") as command:
        first = run_at(settings, "lstm_model", earlier)
        os.kill(process_of(settings.home, first), signal.SIGKILL)
        wait_until(lambda: statuses(settings)[first] == "FAILURE")
        second = run_at(settings, "raw_prices", {*earlier, first})
        os.kill(process_of(settings.home, second), signal.SIGKILL)
        output, errors = command.communicate(timeout=PATIENCE)

    assert command.returncode == 1
    assert json.loads(output)["tickers"]["AAPL"]["status"] == "failed"
    assert "Traceback" not in errors
    assert statuses(settings)[second] == "FAILURE"
    assert {name: [version.version for version in registry.versions(name)] for name in before} == before
    assert {name: registry.production(name).version for name in before} == production


def retraining(home, ticker):
    """`zenith job retrain_model`, for so many epochs that a test can kill it at its work."""
    return subprocess.Popen(
        [ZENITH, "job", "retrain_model", "--tickers", ticker, *TRAIN, "--json"],
        env={**os.environ, "ZENITH_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_at(settings, step, earlier):
    """Return the id of the run that is not among `earlier`, once it has begun `step`."""

    def steps():
        runs = [run.run_id for run in instance.get_runs() if run.run_id not in earlier]
        return {log.step_key: run for run in runs for log in instance.all_logs(run, dg.DagsterEventType.STEP_START)}

    with open_instance(settings) as instance:
        wait_until(lambda: step in steps())
        return steps()[step]


def statuses(settings):
    with open_instance(settings) as instance:
        return {run.run_id: run.status.value for run in instance.get_runs()}


def test_a_removed_ticker_is_served_no_more(zenith, monkeypatch):
    fetch_short_history(monkeypatch)
    zenith.here("run", "--tickers", "IBM", "--until", "serving_snapshot")
    assert "No model of this ticker is trained yet" in zenith.here("predict", "IBM").stdout

    zenith.here("tickers", "remove", "IBM")

    assert "no predictions for IBM yet" in zenith.here("predict", "IBM", status=2).stderr
    assert (zenith.home / "data" / "raw_prices" / "IBM" / "current.json").exists()
