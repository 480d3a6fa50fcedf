"""`zenith doctor`: a finding for each part, what would mend it, and an exit status that programs can go by."""

import json
import shutil
import socket
import threading
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.live_service import live_service
from tests.serving.conftest import MLflowHome, make_ensemble, make_lstm, make_snapshot
from zenith_cli import health_checks as checkups
from zenith_cli.main import main
from zenith_core.inference import HORIZONS
from zenith_serving.settings import Settings

OURS = ("ZENITH_PRICE_SOURCE", "ZENITH_CSV_DIR", "DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """AAPL with both models in Production. Not to be changed."""
    home = MLflowHome(tmp_path_factory.mktemp("made"))
    home.register("lstm-AAPL", make_lstm("AAPL"))
    home.register("ensemble-AAPL", make_ensemble("AAPL"))
    return home.home


@pytest.fixture
def nobody_listens():
    """An address at which nothing answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound and not listening: no other process gets it, and it refuses
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def home(made, tmp_path, monkeypatch, nobody_listens):
    """A copy of `made` with a snapshot of today, whose model files stay where they are."""
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_URL", nobody_listens)
    (tmp_path / "home" / "mlflow").mkdir(parents=True)
    shutil.copy(made / "mlflow" / "mlflow.db", tmp_path / "home" / "mlflow")
    write_snapshot(tmp_path / "home", datetime.now(UTC).date())
    return tmp_path / "home"


def write_snapshot(home, as_of):
    folder = home / "data" / "serving_snapshot" / "AAPL"
    folder.mkdir(parents=True, exist_ok=True)
    following = tuple(as_of + timedelta(days=days) for days in range(1, HORIZONS + 1))
    facts = make_snapshot("AAPL", as_of=as_of, next_sessions=following).to_json()
    (folder / "current.json").write_text(json.dumps({"stamp": "1", "facts": facts, "tables": {}}))


@pytest.fixture
def doctor(monkeypatch, capsys, nobody_listens):
    """What is found of each part: its state, what it says, and what would mend it; and the exit status."""

    def look(*arguments):
        monkeypatch.setattr("sys.argv", ["zenith", "doctor", "--url", nobody_listens, "--json", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        document = json.loads(capsys.readouterr().out)
        assert document["well"] is (ended.value.code == 0)
        parts = {one["part"]: (one["state"], one["says"], one["remedy"]) for one in document["parts"]}
        assert list(parts) == list(checkups.CHECKUPS)
        assert ended.value.code == (1 if "failed" in {state for state, *_ in parts.values()} else 0)
        return parts

    return look


def test_a_new_installation_is_told_how_to_begin_and_nothing_has_failed(doctor, monkeypatch, tmp_path, nobody_listens):
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "new"))
    monkeypatch.setenv("DAGSTER_URL", nobody_listens)

    parts = doctor()

    assert {part for part, (state, *_) in parts.items() if state == "ok"} == {
        *("installation", "state folder", "price source", "cache", "stack")
    }
    assert parts["MLflow"] == ("warning", "SQLite, not made yet", "`zenith run` makes it")
    assert parts["runs and events"][0] == parts["models"][0] == parts["data"][0] == "warning"
    assert parts["Dagster"][1].startswith("Dagster's webserver does not answer: `zenith ui` starts it")
    assert parts["REST service"][1] == f"nothing answers at {nobody_listens}"
    assert [path for path in (tmp_path / "new").rglob("*.db")] == []


def test_what_is_well_is_counted(doctor, home):
    parts = doctor()

    assert parts["MLflow"] == ("ok", "2 models in Production", None)
    assert parts["models"] == ("ok", "2 of 2 opened, each as its checksum says", None)
    assert parts["data"] == ("ok", "1 tickers, none older than 5 sessions", None)


def test_people_read_lines_with_a_summary(home, monkeypatch, capsys, nobody_listens):
    monkeypatch.setattr("sys.argv", ["zenith", "doctor", "--url", nobody_listens])

    with pytest.raises(SystemExit) as ended:
        main()

    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert "✓ MLflow           2 models in Production" in lines
    assert lines[-1] == "runs and events, Dagster, REST service to look at"


def test_a_model_file_that_was_changed_is_named(doctor, home, made):
    files = sorted((made / "mlflow" / "artifacts").glob("*/model.onnx"))
    kept = {file: file.read_bytes() for file in files}
    try:
        for file in files:
            file.write_bytes(b"not a model")

        state, says, remedy = doctor()["models"]
    finally:
        for file, content in kept.items():
            file.write_bytes(content)

    assert state == "failed"
    assert says.startswith("ensemble-AAPL: version 1 of ensemble-AAPL cannot be loaded") and says.endswith(
        "(and 1 more)"
    )
    assert "zenith rollback" in remedy


def test_old_prices_are_named(doctor, home):
    write_snapshot(home, date(2013, 3, 1))

    assert doctor()["data"][:2] == ("warning", "1 of 1 tickers are older than 5 sessions: AAPL")


@pytest.mark.parametrize(
    ("name", "value", "part", "says"),
    [
        ("REDIS_URL", "redis://127.0.0.1:1/0", "cache", "Redis: ConnectionError"),
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:1", "MLflow", "the MLflow server cannot be reached"),
        ("DATABASE_URL", "postgresql://a:secret@127.0.0.1:1/b", "runs and events", "PostgreSQL does not answer"),
        ("KERAS_BACKEND", "torch", "installation", "KERAS_BACKEND torch is not installed"),
        ("ZENITH_CSV_DIR", "", "price source", "{empty} holds no TICKER.csv"),
        ("ZENITH_PRICE_SOURCE", "bloomberg", "price source", "no price source 'bloomberg'"),
    ],
)
def test_what_fails_is_said_and_is_the_exit_status(doctor, home, monkeypatch, tmp_path, name, value, part, says):
    if name == "ZENITH_CSV_DIR":
        monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")
        (tmp_path / "empty").mkdir()
    monkeypatch.setenv(name, value or str(tmp_path / "empty"))

    found = doctor()

    assert found[part][0] == "failed"
    assert found[part][1].startswith(says.format(empty=tmp_path / "empty"))
    assert "secret" not in json.dumps(found)


def test_libraries_that_do_not_fit_are_named(doctor, home, monkeypatch):
    monkeypatch.setattr(
        checkups.metadata, "requires", lambda _: ["numpy>=99", "no-such-library", "nothing; extra=='s3'"]
    )

    state, says, remedy = doctor()["installation"]

    assert state == "failed"
    assert says.startswith("numpy ") and says.endswith(">=99 is needed; no-such-library is not installed")
    assert "make install" in remedy


def test_a_disk_that_is_nearly_full_is_told(doctor, home, monkeypatch):
    monkeypatch.setattr(checkups, "_SPACE_BYTES", 1e18)

    assert doctor()["state folder"][0] == "failed"


def test_the_service_is_asked_how_it_is(doctor, home):
    with live_service(Settings()) as url:
        assert doctor("--url", url)["REST service"] == ("ok", f"{url} answers for 1 tickers", None)


def test_something_else_at_the_service_s_address_is_no_service(doctor, home):
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
        assert doctor("--url", url)["REST service"][:2] == ("failed", f"what answers at {url} is not Zenith")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_nobody_thought_of_hides_no_other_part(doctor, home, monkeypatch):
    def explode(_):
        raise RuntimeError("two\nlines")

    monkeypatch.setitem(checkups.CHECKUPS, "data", explode)

    parts = doctor()

    assert parts["data"] == ("failed", "RuntimeError: two lines", None)
    assert parts["stack"][0] == "ok"


def test_a_stack_that_this_shell_was_not_told_of_is_pointed_at(doctor, home):
    (home / "stack").mkdir()
    (home / "stack" / "stack.env").touch()

    state, _, remedy = doctor()["stack"]

    assert (state, remedy) == ("warning", f". {home / 'stack' / 'stack.env'}")
