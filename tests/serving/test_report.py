"""The report over REST: verdicts and evidence of what the pipelines keep, and only that."""

import shutil
from copy import deepcopy

import pytest
from fastapi.testclient import TestClient

from tests.published import publish, publish_claims
from tests.serving.conftest import make_snapshot
from tests.serving.page_state import read_facts, write_charts, write_evidence, write_facts
from tests.serving.routes.test_universe import universe_facts
from zenith_core.names import ALL_TICKERS, TRIALS, UNIVERSE, UNIVERSE_LEDGER
from zenith_core.report.among_all import among_all
from zenith_serving.app import create_app
from zenith_serving.settings import Settings

REPORT = "/api/v1/ml/reports/AAPL"


@pytest.fixture(scope="module")
def written_home(tmp_path_factory):
    """The files that the pipelines keep of AAPL. Not to be changed."""
    home = tmp_path_factory.mktemp("written")
    write_facts(home, "serving_snapshot", "AAPL", make_snapshot("AAPL").to_json())
    write_charts(home, "AAPL")
    write_evidence(home, "AAPL")
    return home


@pytest.fixture
def home(written_home, tmp_path):
    """A copy of `written_home` that a test may change."""
    shutil.copytree(written_home, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def client(home):
    with TestClient(create_app(Settings(zenith_home=home, mlflow_tracking_uri=None))) as client:
        yield client


def test_a_report_has_verdicts_and_the_evidence_for_them(client, home):
    report = client.get(REPORT).json()

    assert [(one["subject"], one["model_type"], one["code"]) for one in report["verdicts"]] == [
        ("price", None, "no_better"),
        ("band", None, "kept"),
        ("signal", None, "no_better"),
        ("backtest", "lstm", "lower"),
        ("backtest", "ensemble", "lower"),
        ("leakage", None, "passed"),
    ]
    lstm, ensemble = report["models"]
    assert (lstm["model_type"], lstm["version"], lstm["answers"], lstm["horizon"]) == ("lstm", 1, True, 5)
    assert lstm["metrics"] == read_facts(home, "lstm_model", "AAPL")["metrics"]
    assert [fold["train_rows"] for fold in lstm["folds"]] == [1461, 2645]  # the last one trained the model itself
    assert len(ensemble["importances"]) == 20
    assert ensemble["lineage"]["libraries"] == "zenith 0.2.0"
    assert report["backtests"]["ensemble"]["stats"] == read_facts(home, "ensemble_backtest", "AAPL")["stats"]
    assert report["risk_record"]["since"] == "2016-03-01"


def test_a_verdict_favours_a_model_only_with_a_claim(client, home):
    facts = read_facts(home, "lstm_model", "AAPL")
    write_facts(home, "lstm_model", "AAPL", {**facts, "metrics": {**facts["metrics"], "beats_naive": True}})

    def price():
        return next(one for one in client.get(REPORT).json()["verdicts"] if one["subject"] == "price")

    alone = price()
    assert (alone["code"], alone["good"], alone["evidence"]["discovered"]) == ("better", False, False)
    publish_claims(home, "AAPL")
    claim = price()
    assert (claim["code"], claim["good"], claim["evidence"]["horizon"]) == ("better", True, 5)
    assert claim["evidence"]["says"] == "5,000 to 1 since January 2012: a claim, which asks 20 to 1 among 1 ticker"
    others = client.get(REPORT).json()["verdicts"]
    assert {one["subject"] for one in others if one["evidence"]} == {"price", "signal"}


def test_a_backtest_is_deflated_by_the_trials_of_all_tickers(client, home):
    row = {"version": 1, "sharpe": 0.38, "deflated_sharpe": 0.31}
    facts = {"trials": 12, "correlation": 0.2, "independent": 9.8, "expected_best": 0.75}
    publish(home, TRIALS, ALL_TICKERS, {**facts, "tickers": {"AAPL": {"lstm": row, "ensemble": {**row, "version": 2}}}})

    backtests = client.get(REPORT).json()["backtests"]

    strategy = backtests["lstm"]["stats"]["strategy"]
    assert (strategy["deflated_sharpe_all"], strategy["trials_all"], strategy["independent_all"]) == (0.31, 12, 9.8)
    assert "deflated_sharpe_all" not in backtests["ensemble"]["stats"]["strategy"]  # of another version


def test_a_ticker_has_its_place_among_all_with_the_record_of_their_book(client, home):
    assert client.get(REPORT).json()["among_all"] is None
    publish(home, UNIVERSE, ALL_TICKERS, universe_facts())
    publish(home, UNIVERSE_LEDGER, ALL_TICKERS, {"record": {"20": {"outcomes": 12, "hits": 1}}})

    place = client.get(REPORT).json()["among_all"]

    assert (place["tickers"], place["as_of"], place["independent_bets"]) == (8, "2013-03-01", 3.0)
    at_5, at_20 = place["horizons"]
    assert (at_5["horizon"], at_5["share"], at_5["value_at_risk"], at_5["record"]) == (5, 0.125, 0.08, None)
    assert (at_20["fifths"], at_20["correlation"], at_20["record"]) == ([0.2] * 5, 0.5, {"outcomes": 12, "hits": 1})


@pytest.mark.parametrize("damage", ["no book", "not among them", "alone", "no ranks"])
def test_a_place_among_all_that_nobody_stored_is_left_out(damage):
    ranks = deepcopy(universe_facts()["ranks"])
    for facts in ranks.values():
        if damage == "no book":  # of an earlier release
            facts.pop("book", None)
        elif damage == "alone":
            del facts["tickers"][1:]
    ticker = "YOUNG" if damage == "not among them" else "AAPL"

    assert among_all(ticker, "2013-03-01", {} if damage == "no ranks" else ranks, {}) is None


def test_what_is_missing_or_of_another_release_is_left_out(client, home):
    write_facts(home, "ensemble_model", "AAPL", {"kind": "ensemble"})
    write_facts(home, "lstm_backtest", "AAPL", {"stats": {}, "config": {}, "model_version": 1})

    report = client.get(REPORT).json()

    assert [model["model_type"] for model in report["models"]] == ["lstm"]
    assert {(one["subject"], one["model_type"]) for one in report["verdicts"]} == {
        ("price", None),
        ("band", None),
        ("backtest", "ensemble"),
        ("leakage", None),
    }


def test_a_report_that_a_client_has_is_not_sent_again_until_it_changes(client, home):
    tag = client.get(REPORT).headers["etag"]

    assert client.get(REPORT, headers={"if-none-match": tag}).status_code == 304
    facts = read_facts(home, "ensemble_model", "AAPL")
    write_facts(home, "ensemble_model", "AAPL", {**facts, "version": 2})
    assert client.get(REPORT, headers={"if-none-match": tag}).status_code == 200


def test_no_ticker_of_ours_is_a_problem_and_its_page_explains_it(client):
    answer = client.get("/api/v1/ml/reports/AAPX")

    assert (answer.status_code, answer.json()["nearby"]) == (404, ["AAPL"])
    page = client.get("/reports/AAPX")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
