"""The walk-forward record: no origin knows its future, and the figures are those of the tests on its rows."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.core.scale_pools import pool, swinging_prices
from zenith_core.risk.backtest import kupiec_test
from zenith_core.risk.forecast_distribution import LEVELS
from zenith_core.risk.price_moves import price_moves
from zenith_core.risk.risk_record import FIRST, RENEWAL, _block, walk_forward_record
from zenith_core.risk.scale_model import fit_scale_model

SESSIONS = 900


@pytest.fixture(scope="module")
def model():
    return replace(fit_scale_model(pool(), "prior-2015"), data_end="2015-12-31")


@pytest.fixture(scope="module")
def record(model):
    return walk_forward_record([model], price_moves(swinging_prices(99, SESSIONS)))


def test_it_begins_after_the_scale_was_learned_and_ends_with_the_history(record):
    history = swinging_prices(99, SESSIONS)

    assert "2015-12-31" < record["since"] == f"{history.index[FIRST]:%Y-%m-%d}"
    assert record["until"] == f"{history.index[-1]:%Y-%m-%d}"
    assert json.loads(json.dumps(record)) == record


def test_the_five_per_cent_are_those_of_the_scale_and_the_quantiles_of_each_block(record, model):
    moves = price_moves(swinging_prices(99, SESSIONS))
    level, hits = LEVELS.index(0.05), []
    for start in range(FIRST, SESSIONS, RENEWAL):
        rows = np.arange(start, min(start + RENEWAL, SESSIONS))
        limit = model.quantiles_at(moves, start).moves[0, 0, level] * model.scales(moves)[rows, 0]
        actual = moves.moves[0, rows, 0]
        hits += (actual < limit)[np.isfinite(actual)].tolist()

    (tail,) = (one for one in record["horizons"]["1"]["tails"] if one["tail"] == 0.05)
    assert (tail["rows"], tail["hits"]) == (SESSIONS - FIRST - 1, sum(hits))
    assert tail["kupiec_p"] == kupiec_test(np.array(hits), 0.05).p_value > 0.01
    assert tail["fz0_gain"] > 0  # volatility comes and goes, and the tails are not the normal ones


def test_volatility_is_scored_against_the_squares_of_the_next_sessions(record):
    scores = record["horizons"]["5"]["volatility"]

    assert scores["rows"] == SESSIONS - FIRST - 5
    assert 0 < scores["qlike"] < scores["qlike_ewma"]


def test_later_prices_change_no_earlier_forecast(model):
    prices = swinging_prices(99, SESSIONS)
    until = FIRST + 10 * RENEWAL
    other = prices.copy()
    other.loc[other.index[until] :, ["open", "high", "low", "close"]] *= 3.0

    before, after = [
        [_block([model], price_moves(each), start) for each in (prices, other)] for start in (until - RENEWAL, until)
    ]

    for name in ("rows", "scales", "quantiles", "shortfalls"):
        np.testing.assert_array_equal(*(getattr(block, name) for block in before))
    assert (after[0].quantiles != after[1].quantiles).any()


def test_without_a_scale_learned_before_there_is_no_record(model):
    late = replace(model, data_end="2030-12-31")

    assert walk_forward_record([late], price_moves(swinging_prices(99, SESSIONS))) == {}
    assert walk_forward_record([model], price_moves(swinging_prices(99, FIRST))) == {}
