from statistics import NormalDist

import numpy as np
import pytest

from zenith_core.forecasting.shrinkage import MIN_T_STATISTIC, STRICT_T_STATISTIC, shrinkage


def test_correct_forecasts_are_not_shrunk():
    forecasts = np.array([[1.0, -2.0], [0.5, 3.0]])

    assert shrinkage(forecasts, forecasts).tolist() == [1.0, 1.0]


def test_overconfident_forecasts_are_scaled_to_the_outcomes():
    forecasts = np.array([[4.0, -8.0], [2.0, 12.0]])

    assert shrinkage(forecasts, forecasts / 4) == pytest.approx([0.25, 0.25])


def test_forecasts_that_were_wrong_or_empty_become_the_naive_one():
    forecasts = np.array([[1.0], [2.0]])

    assert shrinkage(forecasts, -forecasts).tolist() == [0.0]
    assert shrinkage(np.zeros((3, 2)), np.ones((3, 2))).tolist() == [0.0, 0.0]


def test_timid_forecasts_are_not_amplified():
    forecasts = np.array([[1.0], [2.0]])

    assert shrinkage(forecasts, 10 * forecasts).tolist() == [1.0]


def test_outcomes_not_known_yet_are_left_out():
    assert shrinkage(np.array([[2.0], [9.0]]), np.array([[1.0], [np.nan]])) == pytest.approx([0.5])


def test_each_horizon_is_scaled_by_its_own_record():
    forecasts = np.array([[4.0, -8.0, 1.0], [2.0, 12.0, 3.0]])

    assert shrinkage(forecasts, forecasts * [0.75, 0.5, 0.25]) == pytest.approx([0.75, 0.5, 0.25])


def test_no_horizon_has_a_larger_factor_than_a_shorter_one():
    forecasts = np.array([[4.0, -8.0, 1.0], [2.0, 12.0, 3.0]])

    assert shrinkage(forecasts, forecasts * [0.5, 1.0, 0.25]) == pytest.approx([0.5, 0.5, 0.25])
    assert shrinkage(forecasts, forecasts * [-1.0, 1.0, 1.0]).tolist() == [0.0, 0.0, 0.0]


def test_forecasts_of_noise_are_shrunk_to_zero():
    rng = np.random.default_rng(3)

    assert shrinkage(rng.normal(size=(256, 30)), rng.normal(size=(256, 30))).max() == 0.0


def evidence_of(standard_errors, rows=4000):
    """Forecasts and outcomes of one horizon whose slope is so many standard errors from 0; slope and error too."""
    rng = np.random.default_rng(5)
    forecast, noise = rng.normal(size=(2, rows))
    power = forecast @ forecast
    noise -= forecast * (forecast @ noise) / power
    error = np.sqrt((forecast**2 * noise**2).sum()) / power
    slope = standard_errors * error
    return forecast[:, np.newaxis], (slope * forecast + noise)[:, np.newaxis], slope, error


@pytest.mark.parametrize("standard_errors", [1.7, 6.0])
def test_the_slope_is_reduced_by_its_sampling_error(standard_errors):
    """Without overlap, against the textbook's standard error of a slope through the origin."""
    forecasts, outcomes, slope, error = evidence_of(standard_errors)

    assert shrinkage(forecasts, outcomes) == pytest.approx([slope * (1 - (error / slope) ** 2)])


@pytest.mark.parametrize(("min_t", "chance"), [(MIN_T_STATISTIC, 0.05), (STRICT_T_STATISTIC, 0.01)])
def test_a_slope_that_chance_gives_too_often_is_no_evidence(min_t, chance):
    below, above = (evidence_of(min_t + step)[:2] for step in (-0.01, 0.01))

    assert NormalDist().cdf(-min_t) == pytest.approx(chance, rel=0.01)
    assert shrinkage(*below, min_t).tolist() == [0.0]
    assert shrinkage(*above, min_t)[0] > 0.0


def test_overlapping_outcomes_count_as_the_few_that_they_are():
    """Twenty rows, each ten times: in a row they overlap at the tenth horizon, not at the first; apart at neither."""
    rng = np.random.default_rng(11)
    forecasts = rng.normal(size=(20, 1)).repeat(10, axis=1)
    outcomes = 0.7 * forecasts + rng.normal(size=(20, 1))
    in_a_row, apart = (
        shrinkage(forecasts[rows], outcomes[rows]) for rows in (np.arange(20).repeat(10), np.tile(np.arange(20), 10))
    )

    assert in_a_row[0] == pytest.approx(apart[0])
    assert 0 < in_a_row[9] < 0.9 * apart[9]
