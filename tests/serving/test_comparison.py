"""Two versions side by side: the same figures over REST and in `zenith compare`, from real artifacts."""

import json

import pytest
from fastapi.testclient import TestClient

from tests.serving.conftest import MLflowHome, make_ensemble, make_lstm
from tests.serving.page_state import COSTS, STATS, write_facts
from zenith_cli.compare import compare
from zenith_core.errors import NotAvailable, UserError
from zenith_serving.app import create_app
from zenith_serving.settings import Settings

EQUITY = {"date": ["2013-02-28", "2013-03-01"], "strategy": [1.0, 1.1], "buy_and_hold": [1.0, 1.2]}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """AAPL has two LSTMs, the first in Production with the kept backtest, and an ensemble."""
    registry = MLflowHome(tmp_path_factory.mktemp("compared"))
    for units, promote in ((50, True), (32, False)):
        study = {"config": {"units": units, "layers": 2}}
        registry.register("lstm-AAPL", make_lstm("AAPL", study=study), promote=promote)
    registry.register("ensemble-AAPL", make_ensemble("AAPL"))
    backtest = {"stats": STATS, "config": COSTS, "model_version": 1, "equity": EQUITY}
    write_facts(registry.home, "lstm_backtest", "AAPL", backtest)
    return registry.home


@pytest.fixture
def ask(home):
    app = create_app(Settings(zenith_home=home, mlflow_tracking_uri=None))
    with TestClient(app) as client:
        yield lambda **params: client.get("/api/v1/ml/models/AAPL/compare", params=params)


def values(comparison, group):
    return {row["name"]: row["values"] for row in comparison["figures"] if row["group"] == group}


def test_two_versions_of_a_kind_stand_side_by_side(ask):
    comparison = ask(first="lstm", second="lstm/2").json()

    assert [one["version"] for one in comparison["versions"]] == ["1", "2"]
    assert values(comparison, "parameters") == {"units": [50, 32], "layers": [2, 2]}
    assert {row["name"]: row["differs"] for row in comparison["figures"] if row["group"] == "parameters"} == {
        "units": True,
        "layers": False,
    }
    assert values(comparison, "calibration")["coverage"] == [0.88, 0.88]
    assert values(comparison, "data")["status"] == ["production", "archived"]
    assert values(comparison, "backtest")["sharpe"] == [0.38, None]
    assert [backtest and backtest["model_version"] for backtest in comparison["backtests"]] == [1, None]


def test_kinds_of_different_tasks_can_be_compared(ask):
    comparison = ask(first="lstm", second="ensemble").json()

    assert values(comparison, "metrics")["loss"] == ["mae", "brier"]
    assert values(comparison, "parameters")["units"] == [50, None]


@pytest.mark.parametrize(
    ("second", "status", "says"),
    [
        ("lstm/9", 404, "no such version of lstm-AAPL: there are 2, 1"),
        ("gru", 404, "no model of this kind: there are ensemble, lstm"),
        ("lstm/latest", 422, ""),
    ],
)
def test_a_version_that_is_not_there_is_refused_with_those_that_are(ask, second, status, says):
    answer = ask(first="lstm", second=second)

    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_the_command_prints_the_same_figures(home, monkeypatch, capsys):
    monkeypatch.setenv("ZENITH_HOME", str(home))
    compare("aapl", "lstm/1", "lstm/2", as_json=True)
    document = json.loads(capsys.readouterr().out)
    compare("aapl", "lstm/1", "lstm/2", as_json=False)
    text = capsys.readouterr().out

    assert values(document, "parameters")["units"] == [50, 32]
    assert any(line.split() == ["parameters", "units", "*", "50", "32"] for line in text.splitlines())
    assert "no backtest of lstm v2 is kept" in text


def test_the_command_refuses_what_is_no_version_and_a_ticker_without_models(home, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(home))

    with pytest.raises(UserError, match="a kind and a number, such as lstm/2"):
        compare("AAPL", "Lstm", "lstm/2", as_json=False)
    with pytest.raises(NotAvailable, match="no models of this ticker"):
        compare("MSFT", "lstm", "lstm/2", as_json=False)
