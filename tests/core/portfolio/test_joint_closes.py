import numpy as np
import pandas as pd

from zenith_core.portfolio.joint_closes import YOUNG, is_listed, joint_log_returns


def closes(*rows):
    return pd.DataFrame(rows, index=pd.bdate_range("2024-01-01", periods=len(rows)), dtype=float)


def test_the_move_of_a_day_on_which_most_rest_belongs_to_the_next_row():
    returns = joint_log_returns(closes([1, 1, 1], [2, 2, 2], [4, np.nan, np.nan], [8, 4, 4]))

    np.testing.assert_allclose(np.exp(returns), [[2, 2, 2], [4, 2, 2]])


def test_a_missing_close_is_the_one_before():
    returns = joint_log_returns(closes([1, 1, 1], [2, 2, 2], [4, 4, np.nan], [8, 8, 8]))

    np.testing.assert_allclose(np.exp(returns), [[2, 2, 2], [2, 2, 1], [2, 2, 4]])


def test_days_on_which_prices_stand_still_are_rows():
    assert not joint_log_returns(closes([1], [1], [1])).any()


def test_a_ticker_has_no_return_before_its_second_close():
    returns = joint_log_returns(closes([1, 1, np.nan], [2, 2, np.nan], [4, 4, 5], [8, 8, 6]))

    assert np.isnan(returns[:, 2]).tolist() == [True, True, False]


def test_a_row_does_not_depend_on_later_ones():
    generator = np.random.default_rng(3)
    table = closes(*np.exp(generator.normal(0, 0.01, (50, 4)).cumsum(axis=0)))
    poisoned = table.copy()
    poisoned.iloc[30:] = np.nan

    np.testing.assert_array_equal(joint_log_returns(table.iloc[:30]), joint_log_returns(poisoned)[:29])


def test_a_ticker_counts_as_listed_after_its_first_weeks():
    returns = np.zeros((YOUNG + 5, 2))
    returns[:6, 1] = np.nan

    assert is_listed(returns).tolist() == [True, False]
