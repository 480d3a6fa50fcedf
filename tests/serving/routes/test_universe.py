"""A book's risk and ranks over REST, on a universe of drawn prices."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.core.portfolio.universe import drawn_returns
from tests.published import publish
from zenith_core.names import ALL_TICKERS, UNIVERSE, UNIVERSE_LEDGER
from zenith_core.portfolio.universe_of_closes import universe_of_closes
from zenith_serving.schemas.universe import BookAnswer, RankTable

ML = "/api/v1/ml"
CURRENCIES = {
    "AAPL": "USD", "GOOG": "USD", "GOOGL": "USD", "MSFT": "USD", "STILL": "USD", "SAP.DE": "EUR", "VOD.L": "GBP",
    "EURUSD=X": "USD",
}  # fmt: skip


@cache
def universe_facts():
    """A universe in which GOOG and GOOGL move as one, and STILL stands still; with stored ranks of two horizons."""
    returns = pd.DataFrame(drawn_returns(400, len(CURRENCIES)), columns=list(CURRENCIES))
    returns["GOOGL"] = returns["GOOG"]
    returns.loc[300:, "STILL"] = 0.0
    closes = 100 * np.exp(returns.cumsum()).set_index(pd.bdate_range(end="2013-03-01", periods=400))
    closes["YOUNG"] = closes["AAPL"][-6:]
    names = dict.fromkeys(closes, "USD") | CURRENCIES
    universe = universe_of_closes(closes, names, dict.fromkeys(closes, "feed"))
    rows = [{"ticker": ticker, "fifths": [0.2] * 5, "first": 0.1, "last": 0.1} for ticker in sorted(CURRENCIES)]
    parts = {row["ticker"]: {"share": 1 / len(rows), "correlation": 0.5} for row in rows}
    book = {"volatility": 0.05, "tail": 0.05, "value_at_risk": 0.08, "expected_shortfall": 0.1, "parts": parts}
    ranks = {"independent_bets": 3.0, "tickers": rows, "book": book}
    return universe.to_json() | {"ranks": {"5": ranks, "20": ranks}}


@pytest.fixture
def together(client, home):
    """The client of a service that has a forecast of all tickers."""
    publish(home, UNIVERSE, ALL_TICKERS, universe_facts())
    return client


def ask(client, *positions, **more):
    body = {"positions": [{"ticker": ticker, **amount} for ticker, amount in positions], **more}
    return client.post(f"{ML}/predict/book", json=body)


def book(client, *positions, **more):
    answer = ask(client, *positions, **more)
    assert answer.status_code == 200, answer.text
    return BookAnswer.model_validate_json(answer.content)


def test_old_names_of_renamed_tickers_are_those_of_the_forecast_of_all_tickers(together, home):
    publish(home, "renamed", "OLD", {"to": "AAPL", "until": "2999-12-31"})
    publish(home, "renamed", "MSFT", {"to": "NEWER", "until": "2999-12-31"})  # since the forecast of all tickers

    assert [each.ticker for each in book(together, ("OLD", {"quantity": 1})).positions] == ["AAPL"]
    twice = ask(together, ("OLD", {"quantity": 1}), ("AAPL", {"quantity": 1}))
    assert (twice.status_code, twice.json()["detail"][:5]) == (422, "AAPL ")
    ranks = together.post(f"{ML}/predict/ranks", json={"tickers": ["old", "NEWER"]}).json()["ranks"]
    assert [row["ticker"] for row in ranks] == ["AAPL", "MSFT"]


def test_parts_add_up_and_a_single_ticker_has_its_own_risk(together):
    answer = book(together, ("aapl", {"quantity": 10}), ("MSFT", {"value": -400}), cash=250, horizon=10)

    close = universe_facts()["closes"][0]
    assert (answer.currency, answer.cash, str(answer.as_of)) == ("USD", 250, "2013-03-01")
    assert answer.value == pytest.approx(10 * close - 400 + 250)
    assert [each.scale for each in answer.positions] == ["bands", "closes"]
    assert sum(each.volatility_contribution for each in answer.positions) == pytest.approx(answer.volatility, rel=1e-9)
    for number, tail in enumerate(answer.tails):
        parts = sum(each.shortfall_contributions[number] for each in answer.positions)
        assert parts == pytest.approx(tail.expected_shortfall, rel=1e-9)
        assert tail.value_at_risk < tail.expected_shortfall
    assert 0 < answer.diversification < 1 < answer.independent_bets < 2
    assert answer.stale
    losses = [scenario.loss for scenario in answer.scenarios]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 5

    alone = book(together, ("AAPL", {"value": 1000}), tails=[0.05])
    single = together.post(f"{ML}/predict/risk", json={"ticker": "AAPL", "tails": [0.05]}).json()
    assert alone.tails[0].value_at_risk == pytest.approx(1000 * single["tails"][0]["value_at_risk"], rel=0.005)


def test_a_foreign_position_needs_a_pair(together):
    positions = (("AAPL", {"value": 1000}), ("SAP.DE", {"quantity": 10}))
    answer = book(together, *positions, currency="USD")

    closes = dict(zip(universe_facts()["tickers"], universe_facts()["closes"], strict=True))
    assert answer.positions[1].value == pytest.approx(10 * closes["SAP.DE"] * closes["EURUSD=X"])
    own = book(together, ("SAP.DE", {"quantity": 10})).volatility
    assert answer.positions[1].volatility > 1.1 * own * closes["EURUSD=X"]
    back = book(together, *positions, currency="EUR")
    assert back.positions[1].value == pytest.approx(10 * closes["SAP.DE"])


def test_two_share_classes_hedge_one_another_and_one_that_stands_still_has_no_risk(together):
    pair = book(together, ("GOOG", {"value": 1000}), ("GOOGL", {"value": -1000}), ("STILL", {"value": 500}))

    assert pair.value == 500
    assert pair.volatility < 0.5 * pair.positions[0].volatility
    assert (pair.positions[2].volatility, pair.positions[2].volatility_contribution) == (0, 0)


def test_positions_that_sum_to_nothing_and_a_book_of_nothing_have_defined_results(together):
    nothing = book(together, ("AAPL", {"value": 1000}), ("MSFT", {"value": -1000}))
    empty = book(together, ("AAPL", {"value": 0}), ("STILL", {"quantity": 3}))

    assert nothing.value == 0 < nothing.volatility
    assert (empty.volatility, empty.tails[0].value_at_risk, empty.diversification) == (0, 0, None)
    assert empty.scenarios == []


@pytest.mark.parametrize(
    ("positions", "more", "status", "detail"),
    [
        ([("AAPX", {"value": 1})], {}, 404, "no forecast of ticker number 1: did you mean AAPL?"),
        ([("AAPL", {"value": 1}), ("YOUNG", {"value": 1})], {}, 503, "YOUNG has 5 returns, and a scale needs 20"),
        ([("IBM", {"value": 1})], {}, 503, "IBM is not in the forecast of all tickers yet"),
        ([("AAPL", {"value": 1}), ("SAP.DE", {"value": 1})], {}, 422, "several currencies, USD (AAPL), EUR (SAP.DE)"),
        ([("VOD.L", {"value": 1})], {"currency": "USD"}, 422, "without the pair GBPUSD=X in this home"),
        ([("AAPL", {"value": 1}), ("aapl", {"value": 1})], {}, 422, "a ticker is there twice: add the two up"),
        ([("AAPL", {})], {}, 422, "positions: a position needs one of quantity and value"),
        ([("AAPL", {"value": 1, "quantity": 1})], {}, 422, "a position needs one of quantity and value"),
        ([("AAPL", {"value": 1e16})], {}, 422, "positions.value: Input should be less than or equal to"),
        ([("../x", {"value": 1})], {}, 422, "positions.ticker: not a ticker"),
        ([], {}, 422, "positions: List should have at least 1 item"),
        ([(f"T{k}", {"value": 1}) for k in range(10_000)], {}, 422, "positions: List should have at most 1000 items"),
        ([("AAPL", {"value": 1})], {"horizon": 31}, 422, "horizon: Input should be less than or equal to 30"),
        ([("AAPL", {"value": 1})], {"tails": [0.0001]}, 422, "tails: Input should be greater than or equal to 0.001"),
        ([("AAPL", {"value": 1})], {"currency": "dollars"}, 422, "currency: String should match pattern"),
    ],
)  # fmt: skip
def test_a_bad_book_is_one_line(together, positions, more, status, detail):
    answer = ask(together, *positions, **more)

    assert answer.status_code == status, answer.text
    assert detail in answer.json()["detail"]
    assert len(answer.content) < 1024


def test_without_a_forecast_of_all_tickers_the_problem_names_the_command(client):
    for answer in (ask(client, ("AAPL", {"value": 1})), client.get(f"{ML}/universe")):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert answer.json()["type"] == "urn:zenith:problem:universe-unavailable"
        assert "`zenith job forecast_universe` makes it" in answer.json()["detail"]


def test_a_damaged_forecast_leaves_the_last_good_one(together, home):
    before = book(together, ("AAPL", {"value": 1}))
    (home / "data" / UNIVERSE / ALL_TICKERS / "current.json").write_text("{}")

    assert book(together, ("AAPL", {"value": 1})).volatility == before.volatility


def test_a_damaged_forecast_alone_is_unreadable(client, home):
    publish(home, UNIVERSE, ALL_TICKERS, universe_facts() | {"scores": "AAAA"})
    answer = ask(client, ("AAPL", {"value": 1}))

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:zenith:problem:data-unreadable")


def test_the_ranks_of_all_tickers_come_in_pages(together):
    first = RankTable.model_validate_json(together.get(f"{ML}/universe?limit=5").content)
    second = RankTable.model_validate_json(together.get(f"{ML}/universe?limit=5&after={first.next}").content)

    assert [row.ticker for row in (*first.ranks, *second.ranks)] == sorted(CURRENCIES)
    assert (first.tickers, first.horizon, second.next, first.ranks[0].beats) == (8, 20, None, None)
    assert first.left_out == {"YOUNG": "YOUNG has 5 returns, and a scale needs 20: leave it out"}
    refused = together.get(f"{ML}/universe?horizon=7")
    assert refused.status_code == 422
    assert refused.json()["detail"] == "horizon: the ranks of all tickers are stored for 5 and 20 sessions ahead"


def test_the_record_of_past_forecasts_comes_with_the_ranks_and_a_damaged_one_is_left_out(together, home):
    record = {
        "outcomes": 12, "rps": 0.156, "rps_equal": 0.16, "gain": 0.004, "standard_error": None, "tail": 0.05,
        "hits": 1, "expected_hits": 0.6, "since": "2013-01-02", "until": "2013-01-17",
    }  # fmt: skip
    file = publish(home, UNIVERSE_LEDGER, ALL_TICKERS, {"record": {"20": record}})

    at_20, at_5 = (together.get(f"{ML}/universe?horizon={horizon}").json()["record"] for horizon in (20, 5))
    assert (at_20, at_5) == (record, None)
    file.write_text("{}")
    assert together.get(f"{ML}/universe").json()["record"] is None


def test_the_ranks_of_a_group(together):
    answer = together.post(f"{ML}/predict/ranks", json={"tickers": ["AAPL", "sap.de", "STILL", "AAPL"], "horizon": 7})
    table = RankTable.model_validate_json(answer.content)

    assert [row.ticker for row in table.ranks] == ["AAPL", "SAP.DE", "STILL"]
    assert sum(row.first for row in table.ranks) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.sum([row.fifths for row in table.ranks], axis=0), 0.6, atol=1e-5)
    beats = np.array([row.beats for row in table.ranks])
    np.testing.assert_allclose(beats + beats.T, 1, atol=1e-5)
    correlations = np.array([row.correlations for row in table.ranks])
    np.testing.assert_array_equal(correlations, correlations.T)
    assert np.diag(correlations).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("tickers", "status", "detail"),
    [
        (["AAPL"], 422, "tickers: List should have at least 2 items"),
        (["AAPL", "NVDA"], 404, "no forecast of ticker number 2"),
        ([f"T{k}" for k in range(101)], 422, "tickers: List should have at most 100 items"),
    ],
)
def test_a_bad_group_is_one_line(together, tickers, status, detail):
    answer = together.post(f"{ML}/predict/ranks", json={"tickers": tickers})

    assert answer.status_code == status
    assert detail in json.dumps(answer.json()["detail"])
