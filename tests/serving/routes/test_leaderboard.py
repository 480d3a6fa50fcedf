import pytest
from fastapi.testclient import TestClient

from tests.published import publish, publish_claims
from zenith_core.names import ALL_TICKERS, TRIALS
from zenith_serving.app import create_app

ROW = {
    **{"model_type": "gru", "version": 3, "data_end": "2026-11-20", "answers": False, "own_rows": 900},
    **{"value": 0.021, "naive": 0.022, "skill": 0.01, "p_value": 0.2, "beats_naive": False, "coverage": 0.9},
    **{"ece": None, "p_value_answering": None, "train_cpu_seconds": 4.5, "note": None},
}
BOARD = {"answering": "lstm", "loss": "mae", "horizon": 5, "rows": 880, "models": [ROW]}


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_the_leaderboard_is_what_the_pipelines_wrote(client, home):
    publish(home, "leaderboard", "AAPL", {"tasks": {"price": BOARD}})

    answer = client.get("/api/v1/ml/leaderboard/aapl").json()

    assert answer == {
        "ticker": "AAPL",
        "tasks": {"price": {**BOARD, "models": [{**ROW, "version": "3", "evidence": None, "backtest": None}]}},
        "trials": None,
    }


def test_a_backtest_is_one_of_the_trials_of_all_tickers(client, home):
    publish(home, "leaderboard", "AAPL", {"tasks": {"price": BOARD}})
    row = {"version": 3, "sharpe": 1.25, "deflated_sharpe": 0.8}
    trials = {"trials": 12, "correlation": 0.2, "independent": 9.8, "expected_best": 0.75}
    publish(home, TRIALS, ALL_TICKERS, {**trials, "variance": 0.2, "tickers": {"AAPL": {"gru": row}}})

    answer = client.get("/api/v1/ml/leaderboard/AAPL").json()

    assert answer["trials"] == trials
    assert answer["tasks"]["price"]["models"][0]["backtest"] == {**row, "version": "3"}


def test_the_model_that_answers_has_the_evidence_of_today(client, home):
    publish(home, "leaderboard", "AAPL", {"tasks": {"price": {**BOARD, "models": [{**ROW, "answers": True}]}}})
    publish_claims(home, "AAPL")

    (row,) = client.get("/api/v1/ml/leaderboard/aapl").json()["tasks"]["price"]["models"]

    assert row["evidence"]["discovered"]


def test_a_ticker_without_a_leaderboard_is_404_with_those_that_are_near(client, home):
    publish(home, "leaderboard", "AAPL", {"tasks": {}})

    answer = client.get("/api/v1/ml/leaderboard/AAPX")

    assert (answer.status_code, answer.json()["nearby"]) == (404, ["AAPL"])
    assert "no leaderboard of this ticker" in answer.json()["detail"]


@pytest.mark.parametrize("facts", [{}, {"tasks": {"price": {}}}, []])
def test_one_that_cannot_be_read_is_503_that_says_what_to_do(client, home, facts):
    publish(home, "leaderboard", "AAPL", facts)

    answer = client.get("/api/v1/ml/leaderboard/AAPL")

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:data-unreadable")
    assert "materialize it again" in answer.json()["detail"]
