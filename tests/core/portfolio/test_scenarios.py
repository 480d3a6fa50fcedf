import numpy as np
import pytest

from tests.core.portfolio.universe import drawn_universe
from zenith_core.portfolio.scenarios import scenario_moves, worst_scenarios


def test_a_window_is_its_standardized_returns_at_the_volatility_of_today():
    universe = drawn_universe(tickers=3)
    moves = scenario_moves(universe, [0, 2], np.array([0.05, 0.1]), 5)

    assert moves.shape == (596, 2)
    np.testing.assert_allclose(moves[-1], universe.scores[-5:, [0, 2]].sum(axis=0) * np.array([0.05, 0.1]) / np.sqrt(5))


def test_the_worst_windows_come_first_and_do_not_overlap():
    universe = drawn_universe(tickers=3)
    moves = scenario_moves(universe, [0, 1, 2], np.full(3, 0.05), 5)
    values = np.array([100.0, -50.0, 0.0])
    worst = worst_scenarios(universe, moves, values, 5, 4)

    losses = -np.nan_to_num(np.expm1(moves)) @ values
    assert worst[0].loss == pytest.approx(losses.max())
    assert [each.loss for each in worst] == sorted((each.loss for each in worst), reverse=True)
    ends = sorted(universe.days.index(each.until) for each in worst)
    assert min(np.diff(ends)) >= 5
    assert all(universe.days.index(each.until) - universe.days.index(each.since) == 5 for each in worst if each.since)


def test_a_ticker_that_was_not_listed_is_missing_and_unmoved():
    universe = drawn_universe(tickers=2)
    moves = np.array([[np.nan, -0.1], [-0.2, 0.1]])
    first, *others = worst_scenarios(universe, moves, np.array([1.0, 10.0]), 1, 3)

    assert (first.missing, others) == (1, [])
    assert first.loss == pytest.approx(10 * (1 - np.exp(-0.1)))
