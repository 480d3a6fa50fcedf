import numpy as np
import pandas as pd

from zenith_core.features.model_features import ewma_volatility
from zenith_core.prices.standstill import LEAST_MOVES, WINDOW, moves_at_end, standing_still


def walk(*halts, length=600):
    """A random walk of 1 % a day that stands still in each (first, last) stretch, and then catches up."""
    close = pd.Series(100 * np.exp(np.cumsum(0.01 * np.random.default_rng(1).standard_normal(length))))
    for first, last in halts:
        close.iloc[first:last] = close.iloc[first - 1]
    return close


def test_a_halt_stands_still_from_its_46th_session_until_trading_is_usual_again():
    still = np.flatnonzero(standing_still(walk((200, 300))))
    begin, end = 200 + WINDOW - LEAST_MOVES, 300 + LEAST_MOVES - 1
    assert still.tolist() == list(range(begin, end))


def test_trading_with_pauses_does_not_stand_still():
    assert not standing_still(walk()).any()
    assert not standing_still(walk(*((start, start + 5) for start in range(20, 580, 10)))).any()


def test_a_short_history_does_not_stand_still():
    assert not standing_still(pd.Series([1.0] * (WINDOW - 1))).any()
    assert standing_still(pd.Series([1.0] * (WINDOW + 1)))[-1]


def test_the_moves_at_the_end_are_counted():
    assert moves_at_end(walk()) == WINDOW
    assert moves_at_end(walk((590, 600))) == WINDOW - 10


def test_without_standstills_no_target_explodes():
    close = walk((200, 400))
    move = np.log(close).diff().shift(-1).abs() / ewma_volatility(close)
    assert move.max() > 100
    assert move[~standing_still(close)].max() < 10
