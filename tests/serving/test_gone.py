"""A removed ticker, a delisted one, and a deleted artifact."""

import shutil

import pytest
from fastapi.testclient import TestClient

from tests.published import publish
from zenith_serving.app import create_app

PRICE, SIGNAL, BOTH = (f"/api/v1/ml/predict/{kind}" for kind in ("price", "signal", "comprehensive"))


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings)) as client:
        yield client


def problem(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_removed_ticker_is_404_although_its_answers_are_cached(client, home):
    assert [client.post(BOTH, json={"ticker": "AAPL"}).status_code for _ in range(2)] == [200, 200]
    (home / "data" / "serving_snapshot" / "AAPL" / "current.json").unlink()  # as `zenith tickers remove` does
    for path in (PRICE, SIGNAL, BOTH):
        assert problem(client.post(path, json={"ticker": "AAPL"}), 404)["type"].endswith("unknown-ticker")


def test_a_delisted_ticker_is_410_when_nothing_is_left_to_forecast(client, home):
    assert client.post(PRICE, json={"ticker": "AAPL"}).json()["stale"]
    publish(home, "delisted", "AAPL", {"reason": "last traded on 2013-03-01"})
    client.app.state.predictor.snapshots.check()  # as the watcher does every two seconds
    for path in (PRICE, SIGNAL, BOTH):
        document = problem(client.post(path, json={"ticker": "AAPL"}), 410)
        assert (document["type"], document["detail"]) == (
            "urn:zenith:problem:ticker-gone",
            "AAPL is no longer traded: last traded on 2013-03-01",
        )


@pytest.mark.slow
def test_a_deleted_artifact_fails_neither_who_holds_it_nor_a_restart_and_a_cold_start_says_so(
    settings, home, mlflow_home, models
):
    version = mlflow_home.register("lstm-IBM", models.lstm("IBM"))
    with TestClient(create_app(settings)) as client:
        assert client.post(PRICE, json={"ticker": "IBM"}).status_code == 200
        place = mlflow_home.client.get_model_version("lstm-IBM", str(version)).source.removeprefix("mlflow-artifacts:/")
        shutil.rmtree(mlflow_home.home / "mlflow" / "artifacts" / place)
        client.app.state.predictor.models.refresh()
        assert client.post(PRICE, json={"ticker": "IBM", "use_cache": False}).status_code == 200
    with TestClient(create_app(settings)) as client:
        assert client.post(PRICE, json={"ticker": "IBM"}).json()["model_version"] == "1"
    cold = settings.model_copy(update={"models_path": home / "no-copies"})
    with TestClient(create_app(cold)) as client:
        document = problem(client.post(PRICE, json={"ticker": "IBM"}), 503)
        assert "file is gone" in document["detail"]
