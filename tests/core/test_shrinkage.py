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


def test_the_slope_loses_what_chance_may_have_given_it():
    """One horizon, no overlap to speak of: against the textbook's standard error of a slope through the origin."""
    rng = np.random.default_rng(5)
    forecasts = rng.normal(size=(4000, 1))
    outcomes = 0.1 * forecasts + rng.normal(size=(4000, 1))
    slope = (forecasts * outcomes).sum() / (forecasts**2).sum()
    error = 1 / np.sqrt((forecasts**2).sum())

    assert shrinkage(forecasts, outcomes) == pytest.approx(slope * (1 - (error / slope) ** 2), rel=0.02)


def test_overlapping_outcomes_count_as_the_few_that_they_are():
    """Twenty outcomes, each ten times: ten rows in a row or far apart, the slope is the same."""
    rng = np.random.default_rng(7)
    forecasts = rng.normal(size=(200, 20))
    outcomes = 0.3 * forecasts + rng.normal(size=(200, 20))
    forecasts[20::20], outcomes[20::20] = forecasts[0], outcomes[0]
    repeated, order = np.sort(np.tile(np.arange(20), 10)), np.tile(np.arange(20), 10)

    in_a_row, apart = (shrinkage(forecasts[rows], outcomes[rows]) for rows in (repeated, order))
    assert 0 < in_a_row < apart
