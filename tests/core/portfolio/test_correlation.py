import numpy as np
import pytest

from tests.core.portfolio.universe import drawn_returns
from zenith_core.portfolio.correlation import correlation as correlation_of_scores
from zenith_core.portfolio.correlation import correlation_factors, independent_bets, positive_definite
from zenith_core.portfolio.standardized import shrinkage, standardized


def correlation(returns):
    scores = standardized(returns)
    return correlation_of_scores(scores, shrinkage(scores))


def assert_is_a_correlation(matrix):
    assert np.linalg.eigvalsh(matrix).min() > 0
    np.testing.assert_allclose(np.diag(matrix), 1.0)
    np.testing.assert_array_equal(matrix, matrix.T)


def test_a_common_factor_is_found():
    matrix = correlation(drawn_returns(1500))

    assert_is_a_correlation(matrix)
    assert np.abs(matrix[np.triu_indices(8, 1)] - 0.6).max() < 0.15


def test_an_exchange_that_closes_earlier_is_as_correlated():
    returns = drawn_returns(1500)
    late = returns.copy()
    late[1:, 4:] = returns[:-1, 4:]  # the same news a day later

    assert correlation(late)[0, 7] > 0.75 * correlation(returns)[0, 7]


def test_turbulent_weeks_do_not_decide_alone():
    calm, turbulent = drawn_returns(1500, common=0.2), drawn_returns(1500, common=0.2)
    turbulent[-100:-40] = 10 * drawn_returns(60, seed=2, common=0.95)

    assert correlation(turbulent)[0, 1] < correlation(calm)[0, 1] + 0.25


def test_two_share_classes_that_move_as_one_leave_it_positive_definite():
    returns = drawn_returns()
    matrix = correlation(np.column_stack([returns, returns[:, 0]]))

    assert_is_a_correlation(matrix)
    assert matrix[0, -1] > 0.9


def test_a_ticker_that_stands_still_is_uncorrelated():
    returns = drawn_returns()
    returns[:, 2] = 0.0
    matrix = correlation(returns)

    assert_is_a_correlation(matrix)
    assert not np.delete(matrix[2], 2).any()


def test_young_listings_that_never_met_leave_it_positive_definite():
    returns = drawn_returns(400, tickers=30)
    returns[:-40, :15] = np.nan
    returns[-60:, 20:25] = np.nan

    assert_is_a_correlation(correlation(returns))


@pytest.mark.slow
def test_more_tickers_than_rows_leave_it_positive_definite():
    assert_is_a_correlation(correlation(drawn_returns(40, tickers=100)))


def test_the_repair_keeps_a_good_matrix_and_mends_a_bad_one():
    good = np.array([[1, 0.5], [0.5, 1]])
    bad = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])

    np.testing.assert_array_equal(positive_definite(good), good)
    assert_is_a_correlation(positive_definite(bad))


def test_independent_bets():
    assert independent_bets(np.eye(10)) == 10
    assert independent_bets(np.ones((10, 10))) == 1


def test_the_factor_form_is_the_same_for_tickers_without_gaps():
    returns = drawn_returns(700)
    returns[:, 3] = 0.0  # stands still
    scores = standardized(returns)
    loadings, own = correlation_factors(scores, 0.1)

    matrix = loadings.T @ loadings + np.diag(own**2)
    np.testing.assert_allclose(matrix, correlation_of_scores(scores, 0.1), atol=0.01)
    np.testing.assert_allclose(np.diag(matrix), 1.0)
