"""Training and other jobs from REST, through a real Dagster: its webserver, code server and daemon."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import dagster as dg
import httpx
import pytest

from tests.integration.dagster_ui import Dagster, cut_off, free_port, processes_of_home, start_ui
from tests.live_service import live_service
from tests.waiting import PATIENCE, wait_until
from zenith_core.asset_selection import assets_to_retrain
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.settings import Settings as PipelinesSettings
from zenith_serving.client import Zenith
from zenith_serving.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

KEY = "a-key-for-tests"
NO_RUN = "00000000-0000-0000-0000-000000000000"
RUN = (
    """query($id: ID!) { runOrError(runId: $id) { ... on Run { status jobName runConfig assetSelection { path } } } }"""
)
RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results { runId } } } }"""
TERMINATE = (
    "mutation($id: String!) { terminateRun(runId: $id, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) { __typename } }"
)


# Runs of these stay queued: their tests are about the launch, and a run's process takes seconds to start.
QUEUED = [{"key": "dagster/partition", "value": ticker, "limit": 0} for ticker in ("AAPL", "IBM", "MSFT")]


class Ui:
    """`zenith ui` on a home with the tickers AAPL, IBM, MSFT and FB, which is too short."""

    def __init__(self, home):
        self.home = home
        self.dagster = Dagster(free_port())
        config = home / "queue.yaml"
        config.write_text(json.dumps({"concurrency": {"runs": {"tag_concurrency_limits": QUEUED}}}))  # JSON is YAML
        self.server = start_ui(home, int(self.dagster.url.rpartition(":")[2]), ZENITH_DAGSTER_CONFIG=str(config))

    def add_tickers(self):
        """Add them where the UI refreshes none by itself: its runs would take the places of those of the tests."""
        self.dagster.stop_sensor("refresh_after_close")
        with open_instance(PipelinesSettings(zenith_home=self.home)) as instance:
            instance.add_dynamic_partitions("tickers", ["AAPL", "IBM", "MSFT", "FB"])
            event = dg.AssetMaterialization("ensemble_model", partition="AAPL")
            instance.report_runless_asset_event(event)

    def processes(self, part):
        """Those whose command names a part of Dagster: `grpc`, `dagster-daemon`."""
        return [pid for pid, command in processes_of_home(self.home).items() if part in command]

    @contextmanager
    def without(self, part):
        """Hold a part up, as if its machine did not answer any more."""
        holders = self.processes(part)
        assert holders
        for pid in holders:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in holders:
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    ui = Ui(tmp_path_factory.mktemp("ui"))
    try:
        wait_until(ui.dagster.is_up)
        ui.add_tickers()
        yield ui
    finally:
        cut_off(ui.server, ui.home)


@pytest.fixture(scope="module")
def settings(ui):
    return Settings(
        zenith_home=ui.home, dagster_url=ui.dagster.url, zenith_api_keys=KEY, mlflow_tracking_uri=None, redis_url=None
    )


@pytest.fixture(scope="module")
def client(settings):
    with (
        live_service(settings) as url,
        httpx.Client(base_url=url, headers={"X-API-Key": KEY}, timeout=PATIENCE) as client,
    ):
        wait_until(lambda: post(client, "jobs/refresh_prices", {"ticker": "NONE"}).status_code == 404)
        yield client


@pytest.fixture(autouse=True)
def nothing_left_running(ui):
    yield
    active = {"statuses": ["QUEUED", "NOT_STARTED", "STARTING", "STARTED"]}
    for run in ui.dagster.ask(RUNS, filter=active)["runsOrError"]["results"]:
        ui.dagster.ask(TERMINATE, id=run["runId"])


def post(client, path, document):
    return client.post(f"/api/v1/ml/{path}", json=document)


def launched(client, path, document):
    answer = post(client, path, document)
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def last_states(client):
    """How a training that skips its ticker and a job ended that were started together, through the Python client."""
    with Zenith(str(client.base_url), key=KEY) as zenith:
        runs = zenith.train("FB"), zenith.start_job("cleanup_old_models", dry_run=True)
        return tuple(zenith.wait(run, seconds=PATIENCE, every=0.5) for run in runs)


def known_to(ui, run):
    return ui.dagster.ask(RUN, id=run["run_id"])["runOrError"]


def test_a_training_runs_with_what_was_asked_for_and_is_the_only_one(ui, client):
    run = launched(client, "train", {"ticker": "ibm", "epochs": 10})
    again = launched(client, "train", {"ticker": "IBM", "model_type": "lstm"})
    same = launched(client, "train", {"ticker": "IBM", "models": {"lstm": {"epochs": 10}}})
    other = post(client, "train", {"ticker": "IBM", "epochs": 12})

    assert (run["already_running"], again["already_running"]) == (False, True)
    assert again["run_id"] == same["run_id"] == run["run_id"]
    assert (other.status_code, other.json()["type"]) == (409, "urn:zenith:problem:training-active")
    assert other.json()["detail"].startswith(f"run {run['run_id']} trains this ticker with another configuration")
    facts = known_to(ui, run)
    assert (facts["jobName"], facts["assetSelection"]) == ("retrain_model", None)
    assert facts["runConfig"] == {"ops": {"lstm_model": {"config": {"epochs": 10}}}}
    state = client.get(f"/api/v1/ml/train/{run['run_id']}").json()
    assert (state["ticker"], state["model_type"], state["job"]) == ("IBM", "all", "retrain_model")
    assert state["url"] == f"{ui.dagster.url}/runs/{run['run_id']}"


def test_one_model_is_trained_where_the_other_is_there(ui, client):
    run = launched(client, "train", {"ticker": "AAPL", "model_type": "lstm", "epochs": 11})

    facts = known_to(ui, run)
    assert {asset["path"][0] for asset in facts["assetSelection"]} == set(assets_to_retrain("lstm"))
    assert client.get(run["status_url"]).json()["model_type"] == "lstm"
    both = launched(client, "train", {"ticker": "AAPL"})
    assert both["run_id"] != run["run_id"]  # for the one under way trains less


def test_one_model_is_not_trained_where_the_other_is_not_there(client):
    answer = post(client, "train", {"ticker": "IBM", "model_type": "ensemble"})

    assert answer.status_code == 422
    assert "the first time, train all models" in answer.json()["detail"]


def test_a_training_that_skips_its_ticker_says_why_in_one_line(last_states):
    state, _ = last_states

    assert (state.status, state.error) == ("succeeded", None)
    assert state.note.startswith("skipped: 196 sessions of history")
    assert state.started_at < state.ended_at


def test_a_ticker_that_dagster_does_not_know_is_404_with_those_that_are_near(client):
    answer = post(client, "train", {"ticker": "IBN"})

    assert (answer.status_code, answer.json()["nearby"]) == (404, ["IBM"])
    assert answer.json()["detail"] == "not among the tickers: did you mean IBM?"


@pytest.mark.parametrize("place", ["train", "jobs/runs"])
def test_a_run_that_dagster_does_not_know_is_404(client, place):
    answer = client.get(f"/api/v1/ml/{place}/{NO_RUN}")

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:zenith:problem:unknown-run")


def test_a_job_runs_to_its_end(last_states):
    _, state = last_states
    assert (state.job, state.status, state.error) == ("cleanup_old_models", "succeeded", None)
    assert (state.ticker, state.model_type) == (None, None)
    assert state.figures["clean_model_registry"]["dry_run"] is True
    assert state.figures["clean_model_registry"]["versions_deleted"] == 0


def test_a_job_gets_its_config_and_runs_once_for_the_same(ui, client):
    dry = launched(client, "jobs/cleanup_old_models", {"config": {"dry_run": True, "keep_latest_n": 3}})
    again = launched(client, "jobs/cleanup_old_models", {"config": {"keep_latest_n": 3, "dry_run": True}})
    other = launched(client, "jobs/cleanup_old_models", {"config": {"dry_run": True}})

    assert (again["run_id"], again["already_running"]) == (dry["run_id"], True)
    assert other["run_id"] != dry["run_id"]
    config = {"config": {"dry_run": True, "keep_latest_n": 3}}
    assert known_to(ui, dry)["runConfig"] == {"ops": {"clean_model_registry": config}}


def test_a_refresh_of_a_ticker_without_forecasts_leaves_their_ledger_out(ui, client):
    run = launched(client, "jobs/refresh_prices", {"ticker": "IBM"})

    assets = {asset["path"][0] for asset in known_to(ui, run)["assetSelection"]}
    assert assets == {"raw_prices", "cleaned_prices", "indicator_features", "serving_snapshot"}


ASK = """
import json, sys, threading
from zenith_serving.jobs.dagster_client import DagsterAPI
from zenith_serving.jobs.launcher import Launcher
from zenith_serving.schemas.jobs import TrainRequest
from zenith_serving.client import Zenith
from zenith_serving.settings import Settings

settings, answers = Settings(), []
launcher = Launcher(settings, DagsterAPI(settings.dagster_url), "/api/v1/ml")
together = threading.Barrier(5)

def ask():
    together.wait()
    answers.append(launcher.train(TrainRequest(ticker="MSFT", epochs=10), "a test"))

threads = [threading.Thread(target=ask) for _ in range(5)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([[answer.run_id, answer.already_running] for answer in answers]))
"""


def test_twenty_at_once_from_four_processes_start_one_run(ui, client):
    """No other test launches MSFT: a launch that timed out there may begin later."""
    environment = {**os.environ, "ZENITH_HOME": str(ui.home), "DAGSTER_URL": ui.dagster.url}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", ASK], env=environment, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [answer for process in processes for answer in json.loads(process.communicate(timeout=PATIENCE)[0])]

    assert len(answers) == 20
    assert len({run_id for run_id, _ in answers}) == 1
    assert [already for _, already in answers].count(False) == 1
    of_msft = {"pipelineName": "retrain_model", "tags": [{"key": "dagster/partition", "value": "MSFT"}]}
    active = {**of_msft, "statuses": ["QUEUED", "NOT_STARTED", "STARTING", "STARTED"]}
    assert len(ui.dagster.ask(RUNS, filter=active)["runsOrError"]["results"]) == 1


def test_without_a_daemon_nothing_is_queued_in_silence(ui, client, monkeypatch):
    with ui.without("dagster-daemon"):
        run = launched(client, "train", {"ticker": "IBM", "epochs": 10})
        monkeypatch.setattr("zenith_serving.jobs.dagster_client.HEARTBEAT_SECONDS", 0.0)  # as if they had passed

        state = client.get(run["status_url"]).json()
        answer = post(client, "train", {"ticker": "FB"})

    assert (state["status"], state["note"]) == ("queued", "queued, no daemon is running")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:dagster-away")
    assert "no Dagster daemon is running" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


def test_without_a_code_server_the_answer_is_503_and_nothing_is_launched(ui, client):
    """The same without a webserver is in tests/serving/routes/test_jobs.py."""
    with ui.without("grpc"):
        answer = post(client, "train", {"ticker": "IBM", "epochs": 10})
    wait_until(lambda: client.get(f"/api/v1/ml/train/{NO_RUN}").status_code == 404)  # it is asked again

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:dagster-away")
    of_ibm = {"pipelineName": "retrain_model", "tags": [{"key": "dagster/partition", "value": "IBM"}]}
    active = {**of_ibm, "statuses": ["QUEUED", "NOT_STARTED", "STARTING", "STARTED"]}
    assert ui.dagster.ask(RUNS, filter=active)["runsOrError"]["results"] == []
