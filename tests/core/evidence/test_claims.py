"""The evidence of a ticker beside its universe, in words."""

from math import log

import pytest

from zenith_core.evidence.claims import Look, Universe, nearest_horizon, odds

MAY = {"log_e_value": log(34), "since": "2026-05-04"}


def claim(own, others):
    """Return the evidence of a ticker beside the log e-values of all others."""
    return Look.at([own["log_e_value"], *others]).judge(own)


def test_a_ticker_that_is_not_yet_claimed_says_what_the_first_claim_asks():
    assert claim(MAY, [0.0] * 119) == {
        "e_value": 34.0,
        "since": "2026-05-04",
        "required": 2400.0,
        "discovered": False,
        "says": "34 to 1 since May 2026; the first claim among 120 tickers asks 2,400 to 1",
    }


def test_a_claim_says_what_it_took():
    evidence = claim({**MAY, "log_e_value": log(1300)}, [log(5000), *[0.0] * 118])
    assert (evidence["discovered"], evidence["required"]) == (True, 1200.0)
    assert evidence["says"] == "1,300 to 1 since May 2026: a claim, which asks 1,200 to 1 among 120 tickers"


def test_after_a_claim_of_another_ticker_the_next_one_is_cheaper():
    evidence = claim(MAY, [log(5000), *[0.0] * 118])
    assert (evidence["discovered"], evidence["required"]) == (False, 1200.0)
    assert evidence["says"].endswith("the next claim among 120 tickers asks 1,200 to 1")


def test_a_ticker_alone_needs_twenty_to_one():
    assert claim(MAY, [])["discovered"]
    assert claim({**MAY, "log_e_value": 0.5}, [])["says"].endswith("among 1 ticker asks 20 to 1")


def test_without_outcomes_nothing_is_said_for_or_against():
    evidence = claim({"log_e_value": 0.0, "since": None}, [0.0])
    assert (evidence["e_value"], evidence["discovered"], evidence["says"]) == (1.0, False, "no outcome yet")


@pytest.mark.parametrize(
    ("e_value", "words"),
    [(34, "34 to 1"), (2.41, "2.4 to 1"), (1, "1 to 1"), (0.2, "1 to 5"), (12345, "12,345 to 1"), (9.96, "10 to 1")],
)
def test_odds_are_read_like_a_bet(e_value, words):
    assert odds(log(e_value)) == words


def test_evidence_beyond_all_doubt_stays_a_number():
    evidence = claim({**MAY, "log_e_value": 5000.0}, [])
    assert evidence["e_value"] == 1e12
    assert odds(5000.0) == "more than 1,000,000,000,000 to 1"
    assert odds(-5000.0) == "1 to 1,000,000,000,000"


def test_each_task_and_horizon_has_its_own_claims_among_all_tickers():
    strong, weak = {"log_e_value": log(100), "since": "2026-05-04"}, MAY
    own = {"price": {"1": strong, "5": weak}, "signal": {"5": strong}}
    universe = Universe([own, {"price": {"1": weak}}, {}])

    assert universe.judge(own, "price", "1")["required"] == pytest.approx(3 / 2 / 0.05, abs=0.01)
    assert universe.judge(own, "price", "5")["required"] == 60
    assert universe.judge(own, "signal", "5")["discovered"]
    assert not universe.judge(own, "price", "20")["discovered"]
    assert set(universe.judge_all(own, "price")) == {"1", "5"}


def test_a_ticker_without_evidence_is_asked_as_much_as_the_others():
    assert Universe([{}, {}]).judge({}, "signal", "5") == {
        **{"e_value": 1.0, "since": None, "required": 40.0, "discovered": False, "says": "no outcome yet"}
    }


def test_the_evidence_of_a_horizon_in_between_is_that_of_the_nearest():
    own = {"price": {"1": MAY, "5": MAY, "20": MAY}, "signal": {"20": MAY}}
    assert [nearest_horizon(own, "price", horizon) for horizon in (1, 2, 4, 30)] == ["1", "1", "5", "20"]
    assert nearest_horizon(own, "signal", 5) == "20"
    assert nearest_horizon({}, "signal", 5) == "5"
