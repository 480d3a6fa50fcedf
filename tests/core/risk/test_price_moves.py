import numpy as np
import pandas as pd
import pytest

from tests.core.scale_pools import swinging_prices
from zenith_core.risk.price_moves import ANCHORS, SCALE_INPUTS, WARM_UP, price_moves, range_variance


@pytest.fixture(scope="module")
def prices():
    return swinging_prices(1, 400)


def test_inputs_use_the_past_alone(prices):
    whole, cut = price_moves(prices), price_moves(prices.iloc[:300])

    np.testing.assert_allclose(cut.inputs, whole.inputs[:300])
    assert np.isfinite(whole.inputs[WARM_UP - 1 :]).all()
    assert np.isnan(whole.inputs[WARM_UP - 2]).any()
    assert whole.inputs.shape == (400, len(SCALE_INPUTS))


def test_moves_are_those_of_the_coming_sessions(prices):
    moves = price_moves(prices)
    at, row = ANCHORS.index(5), 300
    close, coming = prices["close"].iloc[row], prices.iloc[row + 1 : row + 6]

    expected = [
        np.log(value / close) for value in (coming["close"].iloc[-1], coming["high"].max(), coming["low"].min())
    ]
    np.testing.assert_allclose(moves.moves[:, row, at], expected)
    assert np.isnan(moves.moves[:, -5:, at]).all()
    assert np.isfinite(moves.moves[:, -6, at]).all()


def test_the_moves_known_at_a_session_have_ended_by_then(prices):
    moves = price_moves(prices)
    past = moves.moves_until(350)

    np.testing.assert_array_equal(past, price_moves(prices.iloc[:351]).moves)


def test_no_move_starts_or_ends_at_a_suspect_price(prices):
    moves = price_moves(prices.assign(suspect=np.arange(400) == 300)).moves

    assert np.isnan(moves[:, 300]).all()
    assert np.isnan(moves[:, 299, 0]).all()
    assert np.isnan(moves[1:, 296:300, ANCHORS.index(5)]).all()


def test_a_price_that_stands_still_has_no_sound_row(prices):
    halted = prices.copy()
    halted.iloc[300:, :4] = prices["close"].iloc[299]
    moves = price_moves(halted)

    assert moves.sound[299]
    assert not moves.sound[360:].any()
    assert not moves.liquid[330:].any()
    assert np.isfinite(moves.inputs[-1]).all()


def test_quiet_rows_are_sound_but_not_liquid(prices):
    calm = prices.assign(**{name: 100 * (prices[name] / 100) ** 0.05 for name in ("open", "high", "low", "close")})
    moves = price_moves(calm)

    assert moves.sound[WARM_UP:].all()
    assert not moves.liquid.any()


def test_the_variance_of_a_day_follows_garman_and_klass():
    day = {"open": [10.0, 11.0], "high": [10.0, 12.0], "low": [10.0, 10.5], "close": [10.0, 11.5]}
    gap, span, body = np.log(11 / 10), np.log(12 / 10.5), np.log(11.5 / 11)

    variance = range_variance(pd.DataFrame(day))
    np.testing.assert_allclose(variance, [1e-8, gap**2 + 0.5 * span**2 - (2 * np.log(2) - 1) * body**2])
