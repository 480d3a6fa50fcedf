"""A home made by an older version goes on working: the same answers, then a refresh, a training and a rollback."""

import csv
import json
import sqlite3
import tarfile
from pathlib import Path

import pytest

from tests.live_service import live_service
from zenith_cli.main import main
from zenith_core.names import KINDS
from zenith_serving.client import Zenith
from zenith_serving.settings import Settings

ARCHIVES = sorted(Path(__file__).parent.glob("*.tar.xz"))
MADE_IN = "/tmp/zenith-older-home"  # as make_home.py has it
PATH_COLUMNS = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "logged_models": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}
CHANGES_WITH_TIME = {"timestamp", "cached", "age_sessions", "disclaimer"}

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def older(request, tmp_path):
    """The archive's folder: home, prices, and the answers that the older version gave."""
    folder = tmp_path / "older"
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    move_artifacts(folder / "home")
    return folder


def move_artifacts(home):
    """MLflow keeps absolute paths of artifacts, and the home does not stand where it was made."""
    with sqlite3.connect(home / "mlflow" / "mlflow.db") as database:
        for table, columns in PATH_COLUMNS.items():
            for column in columns:
                database.execute(f'UPDATE {table} SET "{column}" = replace("{column}", ?, ?)', (MADE_IN, str(home)))
    database.close()


@pytest.fixture
def zenith(older, monkeypatch, capsys):
    """Run a command on the home of the older version, and return what it printed."""
    monkeypatch.setenv("ZENITH_HOME", str(older / "home"))
    monkeypatch.setenv("ZENITH_CSV_DIR", str(older / "prices"))
    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["zenith", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        assert ended.value.code == 0, output.err
        return output.out

    return run


def answer(older, name):
    return (older / "answers" / name).read_text()


def test_it_forecasts_the_same(older, zenith):
    before, now = json.loads(answer(older, "predict")), json.loads(zenith("predict", "AAPL", "--json"))

    assert {key: now[key] for key in before if key not in CHANGES_WITH_TIME} == {
        key: before[key] for key in before if key not in CHANGES_WITH_TIME
    }


def test_it_lists_the_same_versions_and_decisions(older, zenith):
    assert json.loads(zenith("models", "AAPL", "--history", "--json")) == json.loads(answer(older, "models"))


def test_it_exports_the_same_signals(older, zenith):
    before = list(csv.DictReader(answer(older, "signals").splitlines()))

    assert list(csv.DictReader(zenith("export", "AAPL", "signals").splitlines())) == before


def test_it_keeps_its_track_record(older, zenith):
    assert json.loads(zenith("track-record", "AAPL", "--json")) == json.loads(answer(older, "track-record"))


def test_the_service_answers_from_it(older):
    before = json.loads(answer(older, "predict"))
    with live_service(Settings(zenith_home=older / "home")) as address, Zenith(address) as client:
        tickers = client.tickers().tickers
        price = client.predict_price("AAPL", horizon=5)
        signal = client.predict_signal("AAPL")
        chart = client.chart("AAPL")

    assert [one.ticker for one in tickers] == ["AAPL"]
    assert price.model_version == "2"
    assert json.loads(price.model_dump_json())["predictions"] == before["predictions"]
    assert (signal.model_version, signal.stale) == ("1", True)  # the ensemble was rolled back
    assert chart.ticker == "AAPL"


@pytest.mark.slow
def test_it_refreshes_trains_and_rolls_back(zenith):
    zenith("job", "refresh_prices", "--tickers", "AAPL")
    zenith("job", "retrain_model", "--tickers", "AAPL", "--config", "epochs=1")

    models = json.loads(zenith("models", "AAPL", "--json"))["AAPL"]
    assert {kind: models[kind]["versions"][0]["version"] for kind in KINDS} == dict.fromkeys(KINDS, 3)

    production = json.loads(zenith("predict", "AAPL", "--json"))["model_version"]
    zenith("rollback", "AAPL", "lstm", "--reason", "to see that it can")
    assert json.loads(zenith("predict", "AAPL", "--json"))["model_version"] < production
