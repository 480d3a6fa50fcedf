"""`zenith doctor`: a finding and a fix for each component, and the exit status."""

import json
import shutil
import socket
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.empty_databases import put_mlflow_database
from tests.live_service import live_service
from tests.published import publish
from tests.serving.conftest import MLflowHome, make_ensemble, make_lstm, make_snapshot
from zenith_cli import health_checks
from zenith_core.inference import HORIZONS
from zenith_serving.errors import RegistryUnavailable
from zenith_serving.settings import Settings

OURS = ("ZENITH_PRICE_SOURCE", "ZENITH_CSV_DIR", "DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL")


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory):
    """AAPL with both models in Production. Read-only."""
    home = MLflowHome(tmp_path_factory.mktemp("trained"))
    home.register("lstm-AAPL", make_lstm("AAPL"))
    home.register("ensemble-AAPL", make_ensemble("AAPL"))
    return home.home


@pytest.fixture
def closed_address():
    """An address that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: reserved, and refuses connections
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def home(trained_home, tmp_path, monkeypatch, closed_address):
    """A copy of `trained_home` with a snapshot of today."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_URL", closed_address)
    shutil.copytree(trained_home, tmp_path / "home")
    write_snapshot(tmp_path / "home", datetime.now(UTC).date())
    return tmp_path / "home"


def write_snapshot(home, as_of):
    following = tuple(as_of + timedelta(days=days) for days in range(1, HORIZONS + 1))
    facts = make_snapshot("AAPL", as_of=as_of, next_sessions=following).to_json()
    publish(home, "serving_snapshot", "AAPL", facts)


@pytest.fixture
def doctor(zenith, closed_address):
    """Run the command; return state, message and remedy of each part. Check the exit status."""

    def run(*arguments):
        status, out, _ = zenith("doctor", "--url", closed_address, "--json", *arguments)
        document = json.loads(out)
        assert document["well"] is (status == 0)
        parts = {
            finding["part"]: (finding["state"], finding["says"], finding["remedy"]) for finding in document["parts"]
        }
        assert list(parts) == list(health_checks.CHECKS)
        assert status == (1 if "failed" in {state for state, *_ in parts.values()} else 0)
        return parts

    return run


@pytest.mark.slow
def test_new_installation_has_warnings_with_first_steps_and_no_failure(doctor, monkeypatch, tmp_path, closed_address):
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "new"))
    monkeypatch.setenv("DAGSTER_URL", closed_address)

    parts = doctor()

    assert {part for part, (state, *_) in parts.items() if state == "ok"} == {
        *("installation", "state folder", "home", "price source", "cache", "stack")
    }
    assert parts["MLflow"] == ("warning", "SQLite, not created yet", "`zenith run` creates it")
    assert parts["runs and events"][0] == parts["models"][0] == parts["data"][0] == "warning"
    assert parts["Dagster"][1].startswith("Dagster's webserver does not answer: `zenith ui` starts it")
    assert parts["REST service"][1] == f"no response from {closed_address}"
    assert [path for path in (tmp_path / "new").rglob("*.db")] == []


@pytest.mark.slow
def test_healthy_parts_report_counts(doctor, home):
    parts = doctor()

    assert parts["MLflow"] == ("ok", "2 models in Production", None)
    assert parts["models"] == ("ok", "2 of 2 loaded, checksums correct", None)
    assert parts["data"] == ("ok", "1 ticker, none older than 5 sessions", None)


@pytest.mark.slow
def test_without_json_each_part_is_a_line_and_the_last_line_sums_up(home, zenith, closed_address):
    status, out, _ = zenith("doctor", "--url", closed_address)

    lines = out.splitlines()
    assert status == 0
    assert "✓ MLflow           2 models in Production" in lines
    assert lines[-1] == "warnings: runs and events, Dagster, REST service"


@pytest.mark.slow
def test_a_home_that_points_outside_itself_fails(doctor, home, trained_home):
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as database:
        location = (trained_home / "mlflow" / "artifacts" / "models").as_uri()
        database.execute("UPDATE model_versions SET source = ? WHERE name = 'lstm-AAPL'", (location,))
        database.commit()

    state, says, remedy = doctor()["home"]

    assert (state, says) == ("failed", f"1 artifact locations lead out of {home}: {location}")
    assert remedy.startswith("`zenith models` brings them in")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trained", "says"), [(False, "with the models of its home"), (True, "with models of its own")]
)
def test_a_stack_that_trained_under_an_earlier_version_has_its_own_models(doctor, home, monkeypatch, trained, says):
    (home / "stack" / "artifacts").mkdir(parents=True)
    (home / "stack" / "stack.env").write_text(f"export ZENITH_HOME='{home}'\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://zenith:secret@127.0.0.1:1/dagster")
    if trained:
        (home / "stack" / "artifacts" / "1").mkdir()

    assert doctor()["stack"] == ("ok", f"{home / 'stack'}, {says}", None)


@pytest.mark.slow
def test_stack_settings_of_another_home_are_not_recommended(doctor, home):
    (home / "stack").mkdir()
    (home / "stack" / "stack.env").write_text("export ZENITH_HOME='/srv/original'\n")

    assert doctor()["stack"] == (
        *("warning", f"{home / 'stack' / 'stack.env'} names another home"),
        "`zenith up` writes it anew",
    )


@pytest.mark.slow
def test_changed_model_file_is_named(doctor, home):
    for file in (home / "mlflow" / "artifacts").glob("*/model.onnx"):
        file.write_bytes(b"not a model")

    state, says, remedy = doctor()["models"]

    assert state == "failed"
    assert says.startswith("ensemble-AAPL: version 1 of ensemble-AAPL cannot be loaded") and says.endswith(
        "(and 1 more)"
    )
    assert remedy == "`zenith run --tickers AAPL` trains it again; until then the last good copy is served"


@pytest.mark.slow
def test_a_registry_without_versions_leads_to_training(doctor, home):
    (home / "mlflow" / "mlflow.db").unlink()
    put_mlflow_database(home / "mlflow")

    assert doctor()["MLflow"] == ("warning", "no model yet", "`zenith run` trains models")


@pytest.mark.slow
def test_old_prices_are_reported(doctor, home):
    write_snapshot(home, date(2013, 3, 1))

    assert doctor()["data"][:2] == ("warning", "older than 5 sessions: 1 of 1 ticker: AAPL")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "part", "says"),
    [
        ("REDIS_URL", "redis://127.0.0.1:1/0", "cache", "Redis: ConnectionError"),
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:1", "MLflow", "the MLflow server cannot be reached"),
        ("DATABASE_URL", "postgresql://a:secret@127.0.0.1:1/b", "runs and events", "PostgreSQL does not respond"),
        ("KERAS_BACKEND", "torch", "installation", "KERAS_BACKEND torch is not installed"),
        ("ZENITH_CSV_DIR", "", "price source", "{empty} holds no price file of a ticker"),
        ("ZENITH_PRICE_SOURCE", "bloomberg", "price source", "no price source 'bloomberg'"),
    ],
)
def test_failure_is_reported_and_sets_the_exit_status(doctor, home, monkeypatch, tmp_path, name, value, part, says):
    if name == "ZENITH_CSV_DIR":
        monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")
        (tmp_path / "empty").mkdir()
    monkeypatch.setenv(name, value or str(tmp_path / "empty"))

    parts = doctor()

    assert parts[part][0] == "failed"
    assert parts[part][1].startswith(says.format(empty=tmp_path / "empty"))
    assert "secret" not in json.dumps(parts)


@pytest.mark.slow
def test_a_registry_that_does_not_answer_is_asked_once(doctor, home, monkeypatch):
    questions = []

    def production(registry):
        questions.append(registry)
        raise RegistryUnavailable("no answer within 4 s")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setattr("zenith_serving.registry.rest.RestRegistry.production", production)

    parts = doctor()

    assert parts["MLflow"] == parts["models"] == ("failed", "no answer within 4 s", None)
    assert len(questions) == 1


@pytest.mark.parametrize(("rest", "seconds"), [(8, 5), (4, 4)])
def test_a_part_waits_no_longer_than_what_is_left_of_the_command_s_time(monkeypatch, rest, seconds):
    monkeypatch.setattr(health_checks, "wait_seconds", lambda: rest)

    assert health_checks._seconds() == seconds


def test_unmet_requirements_are_named(doctor, home, monkeypatch):
    monkeypatch.setattr(
        health_checks.metadata, "requires", lambda _: ["numpy>=99", "no-such-library", "nothing; extra=='s3'"]
    )

    state, says, remedy = doctor()["installation"]

    assert state == "failed"
    assert says.startswith("numpy ") and says.endswith(">=99 is required; no-such-library is not installed")
    assert "make install" in remedy


@pytest.mark.slow
def test_nearly_full_disk_fails(doctor, home, monkeypatch):
    monkeypatch.setattr("zenith_pipelines.disk_space.MIN_FREE_BYTES", 1e18)

    assert doctor()["state folder"][0] == "failed"


@pytest.mark.slow
def test_a_disk_that_lasts_less_than_four_weeks_is_a_warning(doctor, home, monkeypatch):
    monkeypatch.setattr("zenith_pipelines.disk_space.AGAIN_BYTES", 10**15)

    state, says, remedy = doctor()["state folder"]

    assert state == "warning"
    assert says.endswith(" GB") and "; 4 weeks of " in says
    assert "zenith cleanup --dry-run" in remedy


@pytest.mark.slow
def test_running_service_is_ok(doctor, home):
    with live_service(Settings()) as url:
        assert doctor("--url", url)["REST service"] == ("ok", f"{url} serves 1 ticker", None)


@pytest.mark.slow
def test_another_server_at_the_service_s_address_fails(doctor, home):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        assert doctor("--url", url)["REST service"][:2] == ("failed", f"{url} is not Zenith's REST service")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow
def test_unexpected_error_hides_no_other_finding(doctor, home, monkeypatch):
    def explode(_):
        raise RuntimeError("two\nlines")

    monkeypatch.setitem(health_checks.CHECKS, "data", explode)

    parts = doctor()

    assert parts["data"] == ("failed", "RuntimeError: two lines", None)
    assert parts["stack"][0] == "ok"


@pytest.mark.slow
def test_stack_without_its_settings_is_a_warning_with_the_file_to_source(doctor, home):
    (home / "stack").mkdir()
    (home / "stack" / "stack.env").write_text(f"export ZENITH_HOME='{home}'\n")

    state, _, remedy = doctor()["stack"]

    assert (state, remedy) == ("warning", f". {home / 'stack' / 'stack.env'}")
