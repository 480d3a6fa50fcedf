import json

import pytest

from tests.core.evaluation.test_leaderboard import FEATURES, prices, signals
from tests.published import publish_claims
from zenith_core.evaluation.leaderboard import Contender, leaderboard
from zenith_core.names import ALL_TICKERS, TRIALS, UNIVERSE_LEDGER
from zenith_pipelines.datasets.store import Dataset, DatasetStore

BOARDS = {
    "price": leaderboard(
        "price", [prices("lstm", cpu_seconds=4.25), prices("gru", foresight=0.3, first=150)], "lstm", FEATURES
    ),
    "signal": leaderboard(
        "signal", [signals("ensemble"), Contender("other", note="nothing in Production")], "ensemble", FEATURES
    ),
}


@pytest.fixture
def show(zenith, monkeypatch, tmp_path):
    """Run `zenith leaderboard` on these boards of AAPL; return its exit status, stdout and stderr."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    DatasetStore(str(tmp_path / "data")).write("leaderboard", "AAPL", Dataset(facts={"tasks": BOARDS}))
    return lambda *arguments: zenith("leaderboard", *arguments)


@pytest.mark.parametrize("arguments", [(), ("aapl",)])
def test_each_task_is_a_table_of_its_models_with_their_common_rows(show, arguments):
    status, text, _ = show(*arguments)

    lines = [line.split() for line in text.splitlines()]
    assert status == 0
    assert "AAPL price · 5 sessions ahead · 245 common rows" in text
    assert max(map(len, text.splitlines())) <= 120
    first, second = (next(line for line in lines if line[:1] == [kind]) for kind in ("gru", "lstm"))
    assert lines.index(first) < lines.index(second)
    assert (first[1], first[-1]) == ("v1", "245")
    assert second[1:3] == ["v1", "answers"]
    assert second[-4:] == ["–", "–", "4.2", "295"]
    assert "other: nothing in Production" in text


def test_json_has_every_figure_and_the_evidence_of_the_model_that_answers(show):
    boards = json.loads(show("--json")[1])["AAPL"]

    rows = [row for board in boards.values() for row in board["models"]]
    evidence = {row["model_type"]: row.pop("evidence") for row in rows}
    assert [row.pop("backtest") for row in rows] == [None] * 4  # none has traded
    assert boards == json.loads(json.dumps(BOARDS))
    assert (evidence["gru"], evidence["other"]) == (None, None)
    assert (evidence["lstm"]["says"], evidence["ensemble"]["required"]) == ("no outcome yet", 20)


@pytest.mark.slow
def test_only_what_is_discovered_has_a_star(show, tmp_path):
    rows = {line.split()[0]: line for line in show()[1].splitlines() if "v1" in line}
    assert not any(" * " in row for row in rows.values())
    publish_claims(tmp_path, "AAPL")
    DatasetStore(str(tmp_path / "data")).write("forecast_ledger", "AAPL", Dataset())

    text = show()[1]

    rows = {line.split()[0]: line for line in text.splitlines() if "v1" in line}
    assert {kind for kind, row in rows.items() if " * " in row} == {"lstm", "ensemble"}
    assert "lstm, evidence: 5,000 to 1 since January 2012: a claim, which asks 20 to 1 among 1 ticker." in text


@pytest.mark.slow
def test_the_best_backtest_of_all_tickers_is_deflated_by_all_trials(show, tmp_path):
    rows = {"lstm": {"version": 1, "sharpe": 1.25, "deflated_sharpe": 0.815}}
    trials = {"trials": 12, "independent": 9.5, "expected_best": 0.75, "correlation": 0.2, "variance": 0.2}
    DatasetStore(str(tmp_path / "data")).write(
        TRIALS, ALL_TICKERS, Dataset(facts={**trials, "tickers": {"AAPL": rows, "MSFT": {}}})
    )

    text = show()[1]

    assert "Best backtest: AAPL lstm, Sharpe 1.25. Of all tickers 12 backtests are counted, those that traded." in text
    assert "worth 9.5 independent trials, the best of which is expected at 0.75 without skill: deflated 81.5%." in text
    assert next(line.split() for line in text.splitlines() if line.startswith("lstm"))[-3:] == ["82%", "4.2", "295"]
    assert json.loads(show("--json")[1])["AAPL"]["price"]["models"][1]["backtest"] == rows["lstm"]


def test_without_a_leaderboard_it_says_which_command_makes_one(show, monkeypatch, tmp_path):
    assert show("MSFT")[::2] == (2, "zenith: no leaderboard for MSFT yet: `zenith run --tickers MSFT` makes it\n")
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "other"))
    assert show()[::2] == (2, "zenith: no leaderboard yet: `zenith run` makes one for each ticker\n")


def test_the_ranks_of_all_tickers_are_scored_beside_equal_probabilities(show, tmp_path):
    record = {"20": {"rps": 0.1561, "rps_equal": 0.16, "outcomes": 12}}
    DatasetStore(str(tmp_path / "data")).write(UNIVERSE_LEDGER, ALL_TICKERS, Dataset(facts={"record": record}))

    assert (
        "Ranks of all tickers 20 sessions ahead: score 0.1561 of 12 past forecasts, equal probabilities 0.1600"
        in show()[1]
    )
