"""A request for the old name of a ticker is answered under the new one, until the day that its note names."""

import pytest
from fastapi.testclient import TestClient

from tests.published import publish
from tests.serving.conftest import make_lstm
from zenith_serving.app import create_app
from zenith_serving.jobs.dagster_client import DagsterAPI, Readiness
from zenith_serving.settings import Settings


@pytest.fixture
def client(settings, home):
    publish(home, "renamed", "OLD", {"to": "AAPL", "until": "2999-12-31", "models": [], "finished": True})
    publish(home, "renamed", "PAST", {"to": "AAPL", "until": "2024-12-31", "models": [], "finished": True})
    publish(home, "renamed", "LOOP", {"to": "LOOP2", "until": "2999-12-31"})
    publish(home, "renamed", "LOOP2", {"to": "LOOP", "until": "2999-12-31"})
    publish(home, "renamed", "ODD", {"until": "2999-12-31"})
    publish(home, "forecast_ledger", "AAPL", {"track_record": {"forecasts": [], "summary": {}}})
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def with_key(settings):
    changed = Settings(**{**settings.model_dump(), "zenith_api_keys": ("a-key-for-tests",)})
    return TestClient(create_app(changed), headers={"X-API-Key": "a-key-for-tests"})


@pytest.mark.parametrize("question", ["price", "signal", "comprehensive"])
def test_predictions_have_the_new_name(client, question):
    answer = client.post(f"/api/v1/ml/predict/{question}", json={"ticker": "old"}).json()
    assert answer["ticker"] == "AAPL"
    if question == "comprehensive":
        assert (answer["price"]["ticker"], answer["signal"]["ticker"]) == ("AAPL", "AAPL")


def test_a_batch_names_the_question_and_the_answer(client):
    body = {"tickers": ["OLD", "PAST"], "what": "price"}
    old, past = client.post("/api/v1/ml/predict/batch", json=body).json()["results"]
    assert (old["ticker"], old["prediction"]["ticker"]) == ("OLD", "AAPL")
    assert past["problem"]["status"] == 404


def test_chart_models_and_track_record_are_those_of_the_new_name(client):
    assert client.get("/api/v1/ml/tickers/OLD/chart").json()["ticker"] == "AAPL"
    assert client.get("/api/v1/ml/track-record/OLD").json()["ticker"] == "AAPL"
    models = client.get("/api/v1/ml/models?ticker=OLD").json()["models"]
    assert {one["ticker"] for one in models} == {"AAPL"}
    assert client.get("/api/v1/ml/models/OLD/history").json() == client.get("/api/v1/ml/models/AAPL/history").json()


@pytest.mark.parametrize("path", ["train", "jobs/refresh_prices"])
def test_runs_are_launched_for_the_new_name_unless_dagster_has_the_old_one(settings, client, monkeypatch, path):
    tickers, launched = ["AAPL"], []
    monkeypatch.setattr(DagsterAPI, "active_runs", lambda *_, **__: [])
    monkeypatch.setattr(DagsterAPI, "readiness", lambda *_: Readiness(tickers, frozenset()))
    monkeypatch.setattr(
        DagsterAPI,
        "launch",
        lambda _, job, *__: launched.append(job.ticker) or {"runId": "r", "status": "QUEUED"},
    )
    post = with_key(settings).post

    assert post(f"/api/v1/ml/{path}", json={"ticker": "OLD"}).status_code == 202
    tickers.append("OLD")
    assert post(f"/api/v1/ml/{path}", json={"ticker": "OLD"}).status_code == 202
    assert launched == ["AAPL", "OLD"]
    assert post(f"/api/v1/ml/{path}", json={"ticker": "PAST"}).status_code == 404


def test_cached_answers_are_dropped_and_rows_are_given_under_the_new_name(settings, client):
    assert with_key(settings).delete("/api/v1/ml/cache/OLD").json()["ticker"] == "AAPL"
    rows = client.get("/api/v1/ml/forecasts?tickers=OLD&tickers=PAST").json()["forecasts"]
    assert [row["ticker"] for row in rows] == ["AAPL", "PAST"]


@pytest.mark.parametrize("ticker", ["PAST", "LOOP", "ODD"])
def test_after_its_day_and_with_a_note_that_leads_nowhere_the_old_name_is_unknown(client, ticker):
    assert client.post("/api/v1/ml/predict/price", json={"ticker": ticker}).status_code == 404


@pytest.mark.parametrize(("trained_as", "version"), [("PAST", "2"), ("OTHER", "1")])
def test_a_model_that_was_trained_under_a_former_name_answers_for_ever_and_no_other(
    client, mlflow_home, trained_as, version
):
    mlflow_home.register("lstm-AAPL", make_lstm(trained_as))
    client.app.state.predictor.refresh()

    answer = client.post("/api/v1/ml/predict/price", json={"ticker": "AAPL"})

    assert answer.json()["model_version"] == version
