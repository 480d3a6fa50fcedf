"""Tickers and jobs as people use them: by the command, on real prices and real runs."""

import json

import pytest

from zenith_pipelines.stages import REFRESHED

pytestmark = pytest.mark.slow


def test_a_refresh_brings_prices_and_forecasts_up_to_date_and_trains_nothing(trained):
    before = trained.document["tickers"]["AAPL"]

    document = json.loads(trained.zenith("job", "refresh_prices", "--tickers", "AAPL", "--json").stdout)

    assert document["job"] == "refresh_prices"
    aapl = document["tickers"]["AAPL"]
    assert (aapl["status"], set(aapl["seconds"]), aapl["models"]) == ("ok", set(REFRESHED), {})
    assert aapl["raw"]["new_snapshot"] is False
    assert aapl["forecast"] == before["forecast"]


def test_a_job_that_is_one_asset_says_what_it_recorded(trained):
    document = json.loads(
        trained.zenith("job", "evaluate_model", "--config", "model_type=lstm", "--json", status=2).stdout
    )

    assert document["tickers"]["FB"]["status"] == "failed"  # too short to have a model
    aapl = document["tickers"]["AAPL"]
    assert (aapl["status"], aapl["breaches"]) == ("ok", [])
    assert not any(key.startswith("ensemble/") for key in aapl)


def test_a_removed_ticker_is_served_no_more(zenith):
    zenith("run", "--tickers", "IBM", "--until", "serving_snapshot")
    assert "no predictions for IBM" not in zenith("predict", "IBM", status=1).stderr  # there is no model yet

    zenith("tickers", "remove", "IBM")

    assert "no predictions for IBM yet" in zenith("predict", "IBM", status=2).stderr
    assert (zenith.home / "data" / "raw_prices" / "IBM" / "current.json").exists()
