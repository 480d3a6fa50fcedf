import numpy as np
import pytest

from zenith_core.statistics.long_run_variance import bartlett_variance, flat_variance, overlap_variance


def test_without_lags_it_is_the_variance():
    values = np.array([1.0, 4.0, 2.0, 9.0])
    assert flat_variance(values, 0) == bartlett_variance(values, 0) == pytest.approx(values.var())


def test_both_weigh_autocovariances_as_their_formulas_say():
    values = np.array([1.0, 3.0, -1.0, 2.0, 5.0])
    deviations = values - 2.0
    own, first, second = (deviations[lag:] @ deviations[: 5 - lag] / 5 for lag in range(3))
    assert flat_variance(values, 2) == pytest.approx(own + 2 * (first + second))
    assert bartlett_variance(values, 2) == pytest.approx(own + 2 * (2 / 3 * first + 1 / 3 * second))


def test_the_flat_one_may_be_negative_where_bartletts_is_not():
    values = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    assert flat_variance(values, 1) < 0 <= bartlett_variance(values, 1)


def test_lags_beyond_the_values_add_nothing():
    values = np.array([1.0, 3.0, 2.0])
    assert flat_variance(values, 9) == pytest.approx(flat_variance(values, 2))


def test_outcomes_overlap_with_those_of_fewer_rows_than_their_horizon():
    values = np.array([1.0, 3.0, -1.0, 2.0, 5.0])
    assert overlap_variance(values, 1) == pytest.approx(values.var())
    assert overlap_variance(values, 2) == pytest.approx(flat_variance(values, 1))


def test_where_full_weights_give_nothing_positive_bartletts_do():
    values = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    assert flat_variance(values, 1) < 0
    assert overlap_variance(values, 2) == bartlett_variance(values, 1)
