"""Training over REST, as far as Dagster need not be there; with it: tests/integration/test_launching.py."""

import socket
import threading
import time

import pytest
from fastapi.testclient import TestClient

from zenith_core.errors import UserError
from zenith_serving.app import create_app
from zenith_serving.errors import DagsterUnavailable
from zenith_serving.jobs.dagster_client import (
    QUERY_SECONDS,
    DagsterAPI,
    Readiness,
    daemon_is_alive,
    failure_reason,
    recorded_figures,
    skip_reason,
)
from zenith_serving.jobs.launcher import trained_kinds
from zenith_serving.settings import Settings

KEY = {"X-API-Key": "a-key-for-tests"}
TRAIN = "/api/v1/ml/train"
RUN = "00000000-0000-0000-0000-000000000000"


class HungWebserver:
    """Takes connections and never answers, until it gives up."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def give_up(self):
        self._listener.close()


@pytest.fixture
def hung_webserver():
    server = HungWebserver()
    yield server
    server.give_up()


@pytest.fixture
def serve(settings):
    def serve(dagster_url):
        changed = {"dagster_url": dagster_url, "zenith_api_keys": ("a-key-for-tests",)}
        app = create_app(Settings(**{**settings.model_dump(), **changed}))
        return TestClient(app, headers=KEY, raise_server_exceptions=False)

    return serve


@pytest.fixture
def client(serve):
    with serve("http://127.0.0.1:1") as client:
        yield client


def is_unavailable(answer, words):
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:dagster-away"), answer.text
    assert words in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    return True


@pytest.mark.parametrize("path", [TRAIN, "/api/v1/ml/jobs/refresh_prices"])
def test_without_a_webserver_nothing_is_launched_and_predictions_are_made(client, path):
    assert is_unavailable(client.post(path, json={"ticker": "AAPL"}), "webserver does not answer")
    assert is_unavailable(client.get(f"{TRAIN}/{RUN}"), "webserver does not answer")
    assert client.post("/api/v1/ml/predict/price", json={"ticker": "AAPL"}).status_code == 200


@pytest.mark.parametrize("path", [TRAIN, "/api/v1/ml/jobs/refresh_prices"])
def test_a_run_names_the_key_that_requested_it(client, monkeypatch, path):
    tags = {}
    monkeypatch.setattr(DagsterAPI, "active_runs", lambda *_, **__: [])
    monkeypatch.setattr(DagsterAPI, "readiness", lambda *_: Readiness(["AAPL"], frozenset()))
    monkeypatch.setattr(
        DagsterAPI, "launch", lambda *arguments: tags.update(arguments[-1]) or {"runId": RUN, "status": "QUEUED"}
    )

    assert client.post(path, json={"ticker": "AAPL"}).status_code == 202
    assert tags["zenith/requested_by"] == "REST API, key 1"


@pytest.mark.slow
def test_a_webserver_that_hangs_is_not_waited_for_long(serve, hung_webserver):
    assert QUERY_SECONDS < 2
    with serve(hung_webserver.url) as client:
        assert is_unavailable(client.post(TRAIN, json={"ticker": "AAPL"}), "webserver does not answer")


@pytest.mark.slow
def test_a_webserver_that_hangs_does_not_keep_predictions_waiting(serve, hung_webserver, monkeypatch):
    """More requests wait for Dagster than there are threads for predictions, and cold predictions need one."""
    monkeypatch.setattr("zenith_serving.jobs.dagster_client.QUERY_SECONDS", 60.0)
    answers = []
    with serve(hung_webserver.url) as client:
        asked = [{"ticker": ticker} for ticker in ("AAPL", "MSFT", "IBM", "GOOG") * 12]
        threads = [
            threading.Thread(target=lambda each=each: answers.append(client.post(TRAIN, json=each))) for each in asked
        ]
        for thread in threads:
            thread.start()
        prediction = client.post("/api/v1/ml/predict/comprehensive", json={"ticker": "AAPL"})
        answered_before = len(answers)
        hung_webserver.give_up()
        for thread in threads:
            thread.join()

    assert (prediction.status_code, answered_before) == (200, 0)
    assert len(answers) == 48
    assert all(is_unavailable(answer, "webserver does not answer") for answer in answers)


def test_what_answers_but_is_no_dagster_is_said_to_be_none(other_server):
    dagster = DagsterAPI(other_server)
    with pytest.raises(DagsterUnavailable, match="does not lead to Zenith.s Dagster"):
        dagster.run(RUN)
    dagster.close()


@pytest.fixture
def other_server():
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"ticker": "../etc"},
        {"ticker": "AAPL", "model_type": "gru"},
        {"ticker": "AAPL", "epochs": 0},
        {"ticker": "AAPL", "epochs": 501},
        {"ticker": "AAPL", "epochs": "10"},
        {"ticker": "AAPL", "epochs": True},
        {"ticker": "AAPL", "model_type": "ensemble", "epochs": 10},
        {"ticker": "AAPL", "models": {"lstm": {"units": 257}}},
        {"ticker": "AAPL", "models": {"rnn": {}}},
        {"ticker": "AAPL", "models": {"ensemble": {"trees": 9}}, "model_type": "lstm"},
        {"ticker": "AAPL", "epoch": 10},
    ],
)
def test_what_cannot_be_trained_is_422_before_dagster_is_asked(client, asked):
    assert client.post(TRAIN, json=asked).status_code == 422


@pytest.mark.parametrize(
    ("job", "asked", "said"),
    [
        ("refresh_prices", {}, "ticker: refresh_prices needs one"),
        ("clear_prediction_cache", {"ticker": "AAPL"}, "takes no ticker"),
        ("clear_prediction_cache", {"config": {"x": 1}}, "clear_prediction_cache takes nothing"),
        ("cleanup_old_models", {"config": {"secret<x>": 1}}, "takes keep_latest_n, keep_best, dry_run"),
        ("cleanup_old_models", {"config": {"keep_latest_n": -1}}, "config.keep_latest_n: "),
        ("cleanup_old_models", {"config": {"dry_run": "yes"}}, "config.dry_run: "),
        ("evaluate_model", {"ticker": "AAPL", "config": {"model_type": "gru"}}, "config.model_type: "),
        ("retrain_all_models", {"config": {"tickers": ["../etc"]}}, "config.tickers: not a ticker"),
        ("retrain_all_models", {"config": {"models": {"lstm": {"window": 9}}}}, "config.models: lstm.window: "),
        ("retrain_all_models", {"config": {"models": {"secret<x>": {}}}}, "kinds of model are lstm, ensemble"),
    ],
)
def test_what_a_job_does_not_take_is_422_that_says_what_it_takes(client, job, asked, said):
    answer = client.post(f"/api/v1/ml/jobs/{job}", json=asked)

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:zenith:problem:invalid-request")
    assert said in answer.json()["detail"]
    assert "secret" not in answer.text
    assert "etc" not in answer.text


@pytest.mark.parametrize("name", ["retrain_model", "__ASSET_JOB", "rm -rf"])
def test_only_jobs_of_the_table_can_be_launched(client, name):
    answer = client.post(f"/api/v1/ml/jobs/{name}", json={})

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:zenith:problem:unknown-job")
    assert "refresh_prices, evaluate_model" in answer.json()["detail"]


@pytest.mark.parametrize("run_id", ["x", "..%2f..", "1" * 100])
def test_what_is_no_run_id_is_not_asked_for(client, run_id):
    assert client.get(f"{TRAIN}/{run_id}").status_code in (404, 422)


@pytest.mark.parametrize("path", [TRAIN, "/api/v1/ml/jobs/clear_prediction_cache"])
def test_without_a_key_nothing_is_launched(client, path):
    assert client.post(path, json={"ticker": "AAPL"}, headers={"X-API-Key": ""}).status_code == 401


@pytest.mark.parametrize("url", ["ftp://host", "127.0.0.1:3000", "http://", "http://user:secret@host:3000"])
def test_a_dagster_url_that_cannot_be_one_or_holds_a_password_is_refused(url):
    with pytest.raises(UserError, match="DAGSTER_URL must be") as error:
        Settings(dagster_url=url)
    assert "secret" not in str(error.value)


def daemon(**status):
    return {"instance": {"daemonHealth": {"daemonStatus": {"required": True, "lastHeartbeatTime": None, **status}}}}


def test_a_daemon_is_alive_while_it_tells_of_itself():
    assert daemon_is_alive(daemon(lastHeartbeatTime=time.time() - 30))
    assert not daemon_is_alive(
        daemon(lastHeartbeatTime=time.time() - 300)
    )  # Dagster itself would still call it healthy
    assert not daemon_is_alive(daemon())
    assert daemon_is_alive(daemon(required=False))  # the webserver starts runs by itself


def error(kind, message, *causes):
    return {"className": kind, "message": f"module.{kind}: {message}\n", "causes": list(causes)}


PROCESS = "Run execution process for 0a1b"
CHECKED = {"__typename": "AssetCheckEvaluationEvent"}
CHECK = {"checkName": "no_leakage", "description": "leaks", "assetKey": {"path": ["lstm_model"]}}
STEP = {"__typename": "ExecutionStepFailureEvent", "stepKey": "raw_prices"}
WRAPPED = error("DagsterExecutionStepExecutionError", "Error occurred", error("SourceUnavailable", "it is\naway"))


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([{**STEP, "error": WRAPPED}], "raw_prices: it is away"),
        ([{**STEP, "error": error("A", "a", error("OSError", "no space"))}], "raw_prices: module.OSError: no space"),
        (
            [
                {
                    "__typename": "AssetCheckEvaluationEvent",
                    "evaluation": {**CHECK, "checkName": "stale", "success": False, "severity": "WARN"},
                },
                {
                    "__typename": "AssetCheckEvaluationEvent",
                    "evaluation": {**CHECK, "success": False, "severity": "ERROR"},
                },
                {**STEP, "error": WRAPPED},
            ],
            "lstm_model: check no_leakage: leaks",
        ),
        ([{"__typename": "RunFailureEvent", "message": "its process\ndied", "error": None}], "its process died"),
        ([{"__typename": "RunFailureEvent", "message": "", "error": WRAPPED}], "it is away"),
        (
            [
                {"__typename": "EngineEvent", "message": "Started process for run 1."},
                {"__typename": "EngineEvent", "message": f"{PROCESS} was terminated by signal 9 (SIGKILL). This"},
                {"__typename": "RunFailureEvent", "message": "marked as failed from outside", "error": None},
            ],
            "the process of the run was killed (SIGKILL): by a person, or by the system because it was out of memory",
        ),
        (
            [
                {"__typename": "EngineEvent", "message": f"{PROCESS} unexpectedly exited with code 3."},
                {"__typename": "RunFailureEvent", "message": "marked as failed from outside", "error": None},
            ],
            "the process of the run ended with status 3: its compute log in the Dagster UI has its last lines",
        ),
        (
            [{**STEP, "error": error("A", "a", error("MemoryError", ""))}],
            "raw_prices: out of memory: close other programs, or train fewer tickers at a time with --jobs 1",
        ),
        (
            [{**STEP, "error": error("OperationalError", "(sqlite3.OperationalError) database or disk is full")}],
            "raw_prices: no space left on the disk: free some; then `zenith cleanup` deletes old models and runs",
        ),
        ([{"__typename": "RunStartEvent"}], "the run ended without a reason"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(events, reason):
    assert failure_reason(events) == reason


def test_the_figures_of_a_run_are_its_numbers_by_asset_or_op():
    evaluation = [
        {"label": "lstm/coverage", "floatValue": 0.91},
        {"label": "breaches", "intValue": 0},
        {"label": "beats_naive", "boolValue": False},
        {"label": "undefined", "floatValue": None},
        {"label": "dagster/row_count", "intValue": 5},
        {"label": "plot"},
    ]
    events = [
        {"__typename": "RunStartEvent"},
        {"assetKey": {"path": ["production_evaluation"]}, "metadataEntries": evaluation},
        {"stepKey": "clean_model_registry", "metadataEntries": [{"label": "bytes_freed", "intValue": 12}]},
    ]
    assert recorded_figures(events) == {
        "production_evaluation": {"lstm/coverage": 0.91, "breaches": 0, "beats_naive": False},
        "clean_model_registry": {"bytes_freed": 12},
    }


@pytest.mark.parametrize(
    ("run", "kinds"),
    [
        ({"jobName": "retrain_model", "assetSelection": None}, {"lstm", "ensemble"}),
        ({"jobName": "refresh_prices", "assetSelection": None}, set()),
        ({"jobName": "__ASSET_JOB", "assetSelection": [{"path": ["lstm_model"]}]}, {"lstm"}),
        ({"jobName": "retrain_model", "assetSelection": [{"path": ["raw_prices"]}]}, set()),
    ],
)
def test_what_a_run_trains_is_known_by_its_assets(run, kinds):
    assert trained_kinds(run) == kinds


def test_the_reason_of_a_skipped_ticker_is_that_of_the_first_asset_that_skipped_it():
    skips = [{"__typename": "ObservationEvent", "skips": [{"label": "skipped", "text": text}]} for text in "ab"]
    other = {"__typename": "ObservationEvent", "skips": [{"label": "rows"}]}

    assert skip_reason([STEP, other, *skips]) == "a"
    assert skip_reason([STEP, other]) is None
