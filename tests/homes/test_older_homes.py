"""A home made by an older version goes on working: the same answers, then a refresh, a training and a rollback."""

import csv
import json
import shutil

import pytest

from tests.homes.older import ARCHIVES, contents, unpack
from tests.live_service import live_service
from tests.runs_here import run_tickers_here, train_little
from zenith_cli.main import main
from zenith_core.model_kinds.table import KINDS
from zenith_serving.client import Zenith
from zenith_serving.settings import Settings

CHANGES_WITH_TIME = {"timestamp", "cached", "age_sessions", "disclaimer"}

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def original(request, tmp_path_factory):
    """The archive's folder: home, prices, and the answers that the older version gave. Not to be changed."""
    return unpack(request.param, tmp_path_factory.mktemp("original"))


@pytest.fixture
def older(original, tmp_path):
    """A copy of it: no test may change the original."""
    before = contents(original)
    yield shutil.copytree(original, tmp_path / "older")
    assert contents(original) == before


@pytest.fixture
def zenith(older, monkeypatch, capsys):
    """Run a command on the home of the older version, and return its output."""
    monkeypatch.setenv("ZENITH_HOME", str(older / "home"))
    monkeypatch.setenv("ZENITH_CSV_DIR", str(older / "prices"))
    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["zenith", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr()
        assert end.value.code == 0, output.err
        return output.out

    return run


def answer(older, name):
    return (older / "answers" / name).read_text()


@pytest.mark.slow
def test_it_forecasts_the_same(older, zenith):
    before, now = json.loads(answer(older, "predict")), json.loads(zenith("predict", "AAPL", "--json"))

    assert {key: now[key] for key in before if key not in CHANGES_WITH_TIME} == {
        key: before[key] for key in before if key not in CHANGES_WITH_TIME
    }


def test_it_lists_the_same_versions_and_decisions(older, zenith):
    before = json.loads(answer(older, "models"))
    version = before["AAPL"]["ensemble"]["versions"][1]
    assert (version["aliases"], version["decision"]) == (["Production"], "rolled back")
    version["decision"] = "restored"  # as it reads today

    now = json.loads(zenith("models", "AAPL", "--history", "--json"))
    for model in now["AAPL"].values():
        model.pop("evidence", None)  # is new
    assert now == before


def test_it_exports_the_same_signals(older, zenith):
    before = list(csv.DictReader(answer(older, "signals").splitlines()))

    assert list(csv.DictReader(zenith("export", "AAPL", "signals").splitlines())) == before


def test_it_keeps_its_track_record(older, zenith):
    record = json.loads(zenith("track-record", "AAPL", "--json"))
    before = json.loads(answer(older, "track-record"))
    for fields in (record, *record["forecasts"]):
        for name in fields.keys() - before.keys() - before["forecasts"][0].keys():
            del fields[name]  # is new

    assert record == before


@pytest.mark.slow
def test_the_service_answers_from_it(older, zenith):
    before = json.loads(answer(older, "predict"))
    zenith("models", "AAPL")  # as every command that opens the home, `zenith serve` converts it first
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
def test_moved_it_refreshes_trains_rolls_back_and_removes_a_ticker(older, zenith, monkeypatch):
    new_place = (older / "home").rename(older / "moved")
    monkeypatch.setenv("ZENITH_HOME", str(new_place))
    run_tickers_here(monkeypatch)
    train_little(monkeypatch)

    zenith("job", "refresh_prices", "--tickers", "AAPL")
    zenith("job", "retrain_model", "--tickers", "AAPL", "--config", "epochs=1")

    models = json.loads(zenith("models", "AAPL", "--json"))["AAPL"]
    assert {kind: models[kind]["versions"][0]["version"] for kind in KINDS} == dict.fromkeys(KINDS, 3)

    production = json.loads(zenith("predict", "AAPL", "--json"))["model_version"]
    zenith("rollback", "AAPL", "lstm", "--reason", "to see that it can")
    assert json.loads(zenith("predict", "AAPL", "--json"))["model_version"] < production

    zenith("tickers", "remove", "AAPL")
    zenith("cleanup")
    assert not list((new_place / "mlflow" / "artifacts").rglob("*.onnx"))
    assert not (older / "home").exists()
