import numpy as np

from tests.core.portfolio.universe import drawn_universe
from zenith_core.portfolio.ranks import beat_probabilities, rank_probabilities


def test_probabilities_add_up_and_a_wide_ticker_is_at_both_ends():
    universe = drawn_universe(tickers=10)
    draws = universe.standard_draws(range(10), 4_000)
    moves = universe.in_marginals(draws, range(10), {}, 20)
    ranks = rank_probabilities(moves)

    np.testing.assert_allclose(ranks.fifths.sum(axis=1), 1)
    np.testing.assert_allclose(ranks.fifths.sum(axis=0), 2)
    np.testing.assert_allclose([ranks.first.sum(), ranks.last.sum()], 1)
    assert ranks.first.argmax() == ranks.last.argmax() == 9  # the largest scale
    assert ranks.fifths[9, [0, 4]].min() > 0.3 > ranks.fifths[0, [0, 4]].max()


def test_ties_are_shared():
    draws = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    ranks = rank_probabilities(draws)

    np.testing.assert_allclose(ranks.first, [5 / 12, 5 / 12, 1 / 6])
    np.testing.assert_allclose(ranks.last, [1 / 6, 1 / 6, 2 / 3])
    np.testing.assert_allclose(beat_probabilities(draws), [[0.5, 0.5, 0.75], [0.5, 0.5, 0.75], [0.25, 0.25, 0.5]])
