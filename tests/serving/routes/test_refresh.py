"""The webhook that makes a service follow a promotion at once. The watcher is not running: nothing else looks."""

import pytest
from fastapi.testclient import TestClient

from zenith_serving.app import create_app
from zenith_serving.settings import Settings

PRICE, REFRESH = "/api/v1/ml/predict/price", "/api/v1/ml/models/refresh"
KEYS = {"authorization": "Bearer key"}


@pytest.fixture
def client(settings):
    return TestClient(create_app(Settings(**{**settings.model_dump(), "zenith_api_keys": "key"})))


def version(client):
    return client.post(PRICE, json={"ticker": "AAPL"}).json()["model_version"]


@pytest.mark.slow
def test_what_is_answered_after_the_webhook_is_the_new_version_s(client, mlflow_home, models):
    assert version(client) == "1"
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL", growth=1.02))
    assert version(client) == "1"
    answer = client.post(REFRESH, headers=KEYS)
    assert (answer.status_code, answer.json()["production"], answer.json()["problems"]) == (200, 4, {})
    assert version(client) == "2"


@pytest.mark.slow
def test_a_version_that_cannot_be_served_is_told(client, mlflow_home, models):
    assert version(client) == "1"
    mlflow_home.register("lstm-AAPL", models.lstm("MSFT"))
    assert "another ticker" in client.post(REFRESH, headers=KEYS).json()["problems"]["lstm-AAPL"]
    assert version(client) == "1"


def test_a_registry_that_is_away_is_503(client, home):
    (home / "mlflow" / "mlflow.db").unlink()
    answer = client.post(REFRESH, headers=KEYS)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:registry-away")
