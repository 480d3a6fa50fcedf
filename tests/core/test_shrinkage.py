import numpy as np
import pytest

from zenith_core.shrinkage import shrinkage


def test_forecasts_that_came_true_are_kept():
    forecasts = np.array([[1.0, -2.0], [0.5, 3.0]])

    assert shrinkage(forecasts, forecasts) == 1.0


def test_overconfident_forecasts_are_scaled_to_what_came():
    forecasts = np.array([[4.0, -8.0], [2.0, 12.0]])

    assert shrinkage(forecasts, forecasts / 4) == pytest.approx(0.25)


def test_forecasts_that_were_wrong_or_empty_become_the_naive_one():
    forecasts = np.array([[1.0], [2.0]])

    assert shrinkage(forecasts, -forecasts) == 0.0
    assert shrinkage(np.zeros((3, 2)), np.ones((3, 2))) == 0.0


def test_timid_forecasts_are_not_blown_up():
    forecasts = np.array([[1.0], [2.0]])

    assert shrinkage(forecasts, 10 * forecasts) == 1.0


def test_outcomes_not_known_yet_are_left_out():
    assert shrinkage(np.array([[2.0], [9.0]]), np.array([[1.0], [np.nan]])) == pytest.approx(0.5)


def test_forecasts_of_noise_are_shrunk_hard():
    rng = np.random.default_rng(3)

    assert shrinkage(rng.normal(size=(256, 30)), rng.normal(size=(256, 30))) < 0.05
