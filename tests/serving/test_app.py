import json
import time

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.waiting import wait_until
from zenith_core.names import DISCLAIMER
from zenith_serving.app import create_app

PRICE, SIGNAL, BOTH = (f"/api/v1/ml/predict/{kind}" for kind in ("price", "signal", "comprehensive"))


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def post_text(client, text, path=PRICE):
    return client.post(path, content=text, headers={"content-type": "application/json"})


def is_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) <= 1024
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:zenith:problem:")
    return document


def test_a_price_is_predicted_from_the_model_in_production(client):
    answer = client.post(PRICE, json={"ticker": "AAPL"})
    assert answer.status_code == 200
    body = answer.json()
    assert [point["date"] for point in body["predictions"]] == [f"2013-03-0{day}" for day in (4, 5, 6, 7, 8)]
    assert body["predictions"][0]["price"] == pytest.approx(101.0)
    assert (body["as_of"], body["currency"], body["model_version"]) == ("2013-03-01", "USD", "1")
    assert (body["stale"], body["age_sessions"], body["disclaimer"]) == (True, 30, DISCLAIMER)


def test_the_second_time_the_answer_is_cached_unless_told_otherwise(client):
    question = {"ticker": "aapl", "horizon": 30}
    assert [client.post(PRICE, json=question).json()["cached"] for _ in range(2)] == [False, True]
    assert not client.post(PRICE, json={**question, "use_cache": False}).json()["cached"]


def test_a_signal_is_predicted_from_the_model_in_production(client):
    body = client.post(SIGNAL, json={"ticker": "MSFT"}).json()
    assert (body["signal"], body["reason_code"]) == ("hold", "stale_data")  # the snapshot is of 2013
    assert (body["likeliest"], body["confidence"]) == ("buy", 0.25)
    assert body["probabilities"] == {"sell": 0.25, "hold": 0.25, "buy": 0.5}


def test_comprehensive_is_both(client):
    body = client.post(BOTH, json={"ticker": "AAPL", "horizon": 2}).json()
    assert len(body["price"]["predictions"]) == 2
    assert body["signal"]["likeliest"] == "buy"
    assert body["problems"] == {}


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_signal_horizon_that_no_model_has_is_refused_in_one_line(client, use_cache):
    problem = "ensemble-AAPL has signals of the next 5 sessions, not 20"
    for _ in range(2):  # from a file, then from memory
        document = is_problem(client.post(SIGNAL, json={"ticker": "AAPL", "horizon": 20, "use_cache": use_cache}), 422)
        assert document["detail"].startswith(problem)
    body = client.post(BOTH, json={"ticker": "AAPL", "signal_horizon": 20, "use_cache": use_cache}).json()
    assert (len(body["price"]["predictions"]), body["signal"]) == (5, None)
    assert body["problems"]["signal"]["detail"].startswith(problem)
    assert client.post(BOTH, json={"ticker": "AAPL", "signal_horizon": 5}).json()["signal"]["horizon"] == 5


def test_a_part_that_fails_does_not_fail_the_other(client, mlflow_home, models):
    mlflow_home.register("ensemble-IBM", models.ensemble("IBM"))
    client.app.state.predictor.models.refresh()
    body = client.post(BOTH, json={"ticker": "IBM"}).json()
    assert body["price"] is None
    assert body["signal"]["likeliest"] == "buy"
    assert body["problems"]["price"]["type"] == "urn:zenith:problem:model-unavailable"


@pytest.mark.parametrize("path", [PRICE, SIGNAL, BOTH])
def test_a_ticker_without_a_model_is_503_that_says_what_is_missing(client, path):
    answer = client.post(path, json={"ticker": "IBM"})
    document = is_problem(answer, 503)
    assert "IBM has no version in Production yet" in document["detail"]
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", [PRICE, SIGNAL, BOTH])
def test_an_unknown_ticker_is_404_with_those_that_are_near(client, path):
    document = is_problem(client.post(path, json={"ticker": "AAPX"}), 404)
    assert document["type"] == "urn:zenith:problem:unknown-ticker"
    assert document["nearby"] == ["AAPL"]


def test_a_model_trained_on_other_features_is_503_that_says_so(client, write_snapshot, home):
    write_snapshot(home, "AAPL", feature_spec="another")
    document = is_problem(client.post(PRICE, json={"ticker": "AAPL"}), 503)
    assert document["type"] == "urn:zenith:problem:feature-mismatch"


def test_an_unreadable_snapshot_is_503(client, home):
    (home / "data" / "serving_snapshot" / "AAPL" / "current.json").write_text("{")
    assert is_problem(client.post(PRICE, json={"ticker": "AAPL"}), 503)["type"].endswith("data-unreadable")


@pytest.mark.parametrize("horizon", ["0", "31", "1e9", "1000000000", "-1", "null", "5.5", "5.0", '"5"', "true", "[5]"])
def test_a_horizon_that_is_not_an_integer_from_1_to_30_is_422(client, horizon):
    document = is_problem(post_text(client, f'{{"ticker": "AAPL", "horizon": {horizon}}}'), 422)
    assert document["errors"][0]["field"] == "horizon"


@pytest.mark.parametrize("horizon", ["NaN", "1e999", "-Infinity", "1" * 400, "0x5"])
def test_a_horizon_that_is_no_number_of_json_is_422(client, horizon):
    is_problem(post_text(client, f'{{"ticker": "AAPL", "horizon": {horizon}}}'), 422)


BAD_TICKERS = [
    "",
    " ",
    "../../etc",
    "%2e%2e",
    "/etc/passwd",
    "A" * 100_000,
    "AAPL\n",
    "AAPL\x00",
    "ＡＡＰＬ",
    "AАPL",
    "AAPL,MSFT",
    "'; DROP TABLE models; --",
    "ſ",
    ".",
    "-rf",
]


@pytest.mark.parametrize("ticker", BAD_TICKERS, ids=lambda text: repr(text[:8]))
def test_text_that_is_no_ticker_is_422_quickly_and_not_echoed(client, ticker):
    start = time.perf_counter()
    answer = client.post(PRICE, json={"ticker": ticker})
    assert time.perf_counter() - start < 1
    is_problem(answer, 422)
    assert len(ticker.strip()) < 3 or ticker not in answer.json()["detail"]


@pytest.mark.parametrize("body", ['{"ticker": 5}', '{"ticker": null}', "{}", "[]", "5", '"AAPL"', "", "{", '{"ticker"'])
def test_a_body_of_another_shape_is_422(client, body):
    is_problem(post_text(client, body), 422)


def test_other_garbage_is_refused_without_a_500(client):
    deep = post_text(client, "[" * 100_000)
    assert is_problem(deep, deep.status_code)["status"] in (400, 422)
    assert client.post(PRICE, content=b"\xff\xfe", headers={"content-type": "application/json"}).status_code in (
        400,
        422,
    )
    is_problem(client.post(PRICE, data={"ticker": "AAPL"}), 422)
    is_problem(post_text(client, json.dumps({"ticker": "A" * 1_100_000})), 413)
    is_problem(client.get(PRICE), 405)
    is_problem(client.get("/nowhere"), 404)


@pytest.mark.slow
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["ticker", "horizon", "use_cache", "x"]), inner)
        ),
    )
)
def test_no_json_makes_a_500(client, body):
    answer = post_text(client, json.dumps(body))
    is_problem(answer, answer.status_code)
    assert answer.status_code in (400, 404, 422)


def test_health_is_ok_when_all_is_there(client):
    wait_until(lambda: client.get("/health").json()["models"]["production"] == 4)
    body = client.get("/health").json()
    assert (body["status"], body["live"], body["ready"]) == ("ok", True, True)
    assert (body["registry"]["state"], body["registry"]["detail"]) == ("ok", None)
    assert body["registry"]["last_look_seconds"] < 60
    assert body["cache"]["kind"] == "in-process"
    assert body["snapshots"] == {"state": "ok", "tickers": 3, "problems": {}}


@pytest.mark.parametrize("path", ["/health", "/metrics", "/", f"{PRICE.rpartition('/predict')[0]}/tickers"])
def test_head_is_answered_wherever_get_is(client, path):
    get, head = client.get(path), client.head(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (PRICE, {"ticker": "AAPL", "horizen": 3}, "unknown field: did you mean horizon?"),
        (SIGNAL, {"ticker": "AAPL", "usecache": False}, "unknown field: did you mean use_cache?"),
        (SIGNAL, {"ticker": "AAPL", "zzz": 3}, "unknown field: the fields are ticker, use_cache, horizon"),
        ("/api/v1/ml/train", {"ticker": "AAPL", "epoch": 3}, "unknown field: did you mean epochs?"),
    ],
)
def test_an_unknown_field_is_422_with_the_nearest_name(settings, path, body, message):
    app = create_app(settings.model_copy(update={"zenith_api_keys": (SecretStr("the-key"),)}))
    with TestClient(app) as client:
        document = is_problem(client.post(path, json=body, headers={"x-api-key": "the-key"}), 422)
    assert document["errors"] == [{"field": "body", "message": message}]


def test_an_unknown_query_parameter_is_422_with_the_nearest_name(client):
    document = is_problem(client.get("/api/v1/ml/models?tiker=AAPL"), 422)
    assert document["detail"] == "unknown parameter: did you mean ticker?"


def test_in_a_home_that_never_trained_the_lists_are_empty_and_health_names_the_command(settings, tmp_path_factory):
    home = tmp_path_factory.mktemp("empty")
    with TestClient(create_app(settings.model_copy(update={"zenith_home": home}))) as client:
        wait_until(lambda: client.get("/health").json()["hint"])
        body = client.get("/health").json()
        assert (body["status"], body["live"], body["ready"]) == ("ok", True, False)
        assert body["hint"] == "no ticker has data yet: `zenith run` fetches prices and trains the models"
        assert client.get("/api/v1/ml/models").json()["models"] == []
        assert client.get("/api/v1/ml/tickers").json()["tickers"] == []
        is_problem(client.get("/api/v1/ml/models/AAPL/history"), 404)
        is_problem(client.post(PRICE, json={"ticker": "AAPL"}), 404)
    assert list(home.iterdir()) == []


def test_a_home_with_data_and_without_a_model_names_the_command(settings, tmp_path, write_snapshot):
    write_snapshot(tmp_path / "new", "AAPL")
    with TestClient(create_app(settings.model_copy(update={"zenith_home": tmp_path / "new"}))) as client:
        wait_until(lambda: (client.get("/health").json()["hint"] or "").startswith("no model is in Production yet"))


def test_a_home_that_lost_its_registry_is_degraded(settings, tmp_path):
    (tmp_path / "new" / "mlflow" / "artifacts" / "1").mkdir(parents=True)
    with TestClient(create_app(settings.model_copy(update={"zenith_home": tmp_path / "new"}))) as client:
        wait_until(lambda: client.get("/health").json()["registry"]["state"] == "away")
        health = client.get("/health").json()
        assert (health["status"], health["hint"]) == ("degraded", None)
        assert health["registry"]["detail"] == "the MLflow database is gone: restore it from a backup"
        is_problem(client.get("/api/v1/ml/models"), 503)


@pytest.mark.slow
def test_a_moved_alias_is_followed_and_no_request_fails(client, mlflow_home, models):
    """How soon is in test_served.py."""
    assert client.post(PRICE, json={"ticker": "AAPL"}).json()["model_version"] == "1"
    mlflow_home.register("lstm-AAPL", models.lstm("AAPL", growth=1.02))
    answers = set()

    def is_followed():
        body = client.post(PRICE, json={"ticker": "AAPL"}).json()
        answers.add((body["model_version"], round(body["predictions"][0]["price"], 3)))
        return body["model_version"] == "2"

    wait_until(is_followed)
    assert answers <= {("1", 101.0), ("2", 102.0)}


def test_a_restart_without_the_registry_answers_from_the_last_good_copies(settings, home):
    with TestClient(create_app(settings)) as client:
        wait_until(lambda: len(list(settings.last_good.glob("*/*.onnx"))) == 4)
    (home / "mlflow" / "mlflow.db").unlink()
    with TestClient(create_app(settings)) as client:
        assert client.post(SIGNAL, json={"ticker": "MSFT"}).status_code == 200
        assert client.get("/health").json()["status"] == "degraded"


@pytest.mark.slow
def test_the_disclaimer_and_the_documentation_are_served(client):
    assert client.get("/api/v1/ml/disclaimer").json() == {"disclaimer": DISCLAIMER}
    assert client.get("/docs").status_code == 200
    document = client.get("/openapi.json").json()
    assert {PRICE, SIGNAL, BOTH, "/health", "/api/v1/ml/disclaimer"} <= set(document["paths"])
    responses = document["paths"][PRICE]["post"]["responses"]
    assert set(responses) == {"200", "400", "404", "408", "410", "413", "422", "429", "503"}
    assert {kind for one in responses.values() for kind in one["content"]} == {
        "application/json",
        "application/problem+json",
    }


def test_a_browser_of_another_origin_is_let_in_only_if_named(settings):
    headers = {"origin": "https://dashboard.example"}
    with TestClient(create_app(settings)) as client:
        assert "access-control-allow-origin" not in client.get("/health", headers=headers).headers
    with_cors = settings.model_copy(update={"cors_origins": ("https://dashboard.example",)})
    with TestClient(create_app(with_cors)) as client:
        answer = client.get("/health", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://dashboard.example"


def test_a_surprise_is_a_500_that_tells_nothing(client, monkeypatch):
    def boom(*_, **__):
        raise RuntimeError("secret")

    monkeypatch.setattr(client.app.state.predictor, "answer", boom)
    answer = client.post(PRICE, json={"ticker": "AAPL"})
    is_problem(answer, 500)
    assert "secret" not in answer.text
