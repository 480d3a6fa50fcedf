import numpy as np
import pytest

from zenith_core.portfolio.fifths import fifth_probabilities, fifth_shares, ranked_probability_score


def test_ten_tickers_are_two_a_fifth():
    shares = fifth_shares(np.array([9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0]))

    assert shares.argmax(axis=1).tolist() == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
    assert set(shares.ravel()) == {0, 1}


@pytest.mark.parametrize("count", [1, 2, 5, 7, 96, 100])
def test_shares_add_up_over_tickers_and_fifths(count):
    values = np.random.default_rng(count).integers(0, 1 + count // 2, count).astype(float)  # with ties

    for shares in (fifth_shares(values), fifth_probabilities(np.stack([values, -values]))):
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        np.testing.assert_allclose(shares.sum(axis=0), count / 5)


def test_ties_share_their_places():
    np.testing.assert_allclose(fifth_shares(np.array([1.0, 2, 2, 3, 4]))[1:3], [[0, 0.5, 0.5, 0, 0]] * 2)
    np.testing.assert_allclose(fifth_shares(np.zeros(5)), 0.2)


def test_probabilities_are_the_mean_over_draws_tied_or_not():
    draws = np.random.default_rng(0).integers(0, 12, (40, 7)).astype(float)
    draws[::2] += np.random.default_rng(1).random((20, 7))

    np.testing.assert_allclose(fifth_probabilities(draws), np.mean([fifth_shares(each) for each in draws], axis=0))


@pytest.mark.parametrize("count", [5, 7, 98, 100])
def test_equal_probabilities_score_016_for_any_number_of_tickers(count):
    score = ranked_probability_score(np.full((count, 5), 0.2), fifth_shares(np.arange(count, dtype=float)))

    assert score.mean() == pytest.approx(0.16)


def test_the_score_is_that_of_the_competition():
    probabilities, outcome = np.array([[0.1, 0.2, 0.4, 0.2, 0.1]]), np.array([[0, 0, 0, 1, 0]])

    assert ranked_probability_score(probabilities, outcome) == pytest.approx(
        [(0.1**2 + 0.3**2 + 0.7**2 + 0.1**2 + 0) / 5]
    )
