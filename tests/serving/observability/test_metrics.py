import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import PATIENCE
from zenith_serving.app import create_app
from zenith_serving.observability import metrics
from zenith_serving.observability.multiprocess_metrics import shared_metrics

PRICE = "/api/v1/ml/predict/price"


@pytest.fixture
def client(settings):
    return TestClient(create_app(settings), raise_server_exceptions=False)


def scrape(client):
    """Scrape the metrics; return values by name and labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = (sample for family in text_string_to_metric_families(answer.text) for sample in family.samples)
    return {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples}


def count(samples, name, **labels):
    return samples.get((name, *sorted(labels.items())))


def test_requests_are_counted_by_route_template_and_status(client):
    client.post(PRICE, json={"ticker": "AAPL"})
    client.post(PRICE, json={"ticker": "XXXX"})
    client.get("/one")
    client.get("/two")
    client.request("BREW", "/health")
    samples = scrape(client)
    requests = {key[1:]: value for key, value in samples.items() if key[0] == "zenith_http_requests_total"}
    assert requests == {
        (("method", "POST"), ("route", PRICE), ("status", "200")): 1,
        (("method", "POST"), ("route", PRICE), ("status", "404")): 1,
        (("method", "GET"), ("route", "none"), ("status", "404")): 2,
        (("method", "other"), ("route", "/health"), ("status", "405")): 1,
    }
    assert count(samples, "zenith_http_request_seconds_count", route=PRICE) == 2
    assert 0 < count(samples, "zenith_http_request_seconds_sum", route=PRICE) < 60


def test_an_exception_counts_as_500(client, monkeypatch):
    monkeypatch.setattr(client.app.state.predictor.models, "get", lambda *_: 1 / 0)
    assert client.post(PRICE, json={"ticker": "AAPL"}).status_code == 500
    assert count(scrape(client), "zenith_http_requests_total", method="POST", route=PRICE, status="500") == 1


def test_predictions_are_counted_by_kind_and_cache_hit(client):
    for _ in range(3):
        client.post(PRICE, json={"ticker": "AAPL"})
    client.post("/api/v1/ml/predict/comprehensive", json={"ticker": "AAPL"})
    client.post(PRICE, json={"ticker": "IBM"})  # has no model
    samples = scrape(client)
    assert count(samples, "zenith_predictions_total", kind="price", cached="false") == 1
    assert count(samples, "zenith_predictions_total", kind="price", cached="true") == 3
    assert count(samples, "zenith_predictions_total", kind="signal", cached="false") == 1


def test_gauges_match_the_state_of_health(client, home):
    client.app.state.predictor.models.refresh()
    client.post(PRICE, json={"ticker": "AAPL"})
    samples = scrape(client)
    names = ("models_loaded", "models_production", "model_problems", "registry_up", "cache_up", "tickers")
    assert [count(samples, f"zenith_{name}") for name in names] == [1, 4, 0, 1, 1, 3]
    (home / "mlflow" / "mlflow.db").unlink()
    client.app.state.predictor.models.refresh()
    assert count(scrape(client), "zenith_registry_up") == 0
    assert any(key[0] == "zenith_build_info" for key in samples)


def test_the_data_age_is_exported_for_a_limited_number_of_tickers(client, home, monkeypatch):
    (home / "data" / "serving_snapshot" / "AAPL" / "current.json").write_text("{")
    samples = scrape(client)
    ages = {key[1][1]: value for key, value in samples.items() if key[0] == "zenith_data_age_sessions"}
    assert ages == {"IBM": 30, "MSFT": 30}
    monkeypatch.setattr(metrics, "MAX_TICKERS", 2)
    assert [key for key in scrape(client) if key[0] == "zenith_data_age_sessions"] == [
        ("zenith_data_age_sessions", ("ticker", "IBM"))
    ]


WORKER = """
import sys
from fastapi.testclient import TestClient
from zenith_serving.app import create_app
from zenith_serving.settings import Settings

client = TestClient(create_app(Settings()))
for ticker in sys.argv[1:]:
    assert client.post("/api/v1/ml/predict/price", json={"ticker": ticker}).status_code == 200
client.app.state.metrics.check()
print(client.get("/metrics").text)
if not sys.argv[1:]:
    sys.exit()
input()  # runs until stdin has a line
"""


def worker(home, *tickers):
    environment = {**os.environ, "ZENITH_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *tickers],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_any_worker_reports_the_metrics_of_all(home):
    from zenith_serving.observability.multiprocess_metrics import FOLDER_VARIABLE

    with shared_metrics():
        folder = os.environ[FOLDER_VARIABLE]
        first = worker(home, "AAPL", "MSFT")
        wait_for_scrape(first)
        second = worker(home, "AAPL")
        wait_for_scrape(second)
        text = worker(home).communicate(timeout=PATIENCE)[0]
        assert 'zenith_predictions_total{cached="false",kind="price"} 3.0' in text
        assert f'zenith_http_requests_total{{method="POST",route="{PRICE}",status="200"}} 3.0' in text
        assert "zenith_models_loaded 3.0" in text
        assert "zenith_tickers 3.0" in text
        assert first.communicate("\n", timeout=PATIENCE) and first.returncode == 0
        text = worker(home).communicate(timeout=PATIENCE)[0]
        assert "zenith_models_loaded 1.0" in text  # its gauges are gone, its counters stay
        assert 'zenith_predictions_total{cached="false",kind="price"} 3.0' in text
        second.communicate("\n", timeout=PATIENCE)
    assert not Path(folder).exists()
    assert FOLDER_VARIABLE not in os.environ


def wait_for_scrape(process):
    for line in process.stdout:
        if line.startswith("zenith_tickers"):
            return
    raise AssertionError("the worker ended early")
