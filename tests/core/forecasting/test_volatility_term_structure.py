"""The scale finds a real term structure, and is the EWMA without one."""

import numpy as np
import pytest

from zenith_core.forecasting.volatility_term_structure import (
    MAX_EXPONENT,
    MIN_TARGETS,
    REFIT_EVERY,
    available_inputs,
    fit_scale,
    scale_inputs,
    stretch,
    walk_forward_stretch,
)

COLUMNS = ("rsi_level", "range_ratio", "return_5")


def make_inputs(sessions=3000, seed=0):
    random = np.random.default_rng(seed)
    volatility = 0.01 * np.exp(0.4 * random.standard_normal(sessions))
    return scale_inputs(random.normal(0, 0.4, (sessions, 3)), COLUMNS, volatility)


def normal_targets(sessions, horizons=2, seed=1):
    return np.random.default_rng(seed).standard_normal((sessions, horizons))


def test_the_inputs_are_a_constant_the_log_volatility_and_the_declared_columns_that_there_are():
    values, volatility = np.arange(6.0).reshape(2, 3), np.array([0.01, 0.02])

    np.testing.assert_allclose(scale_inputs(values, COLUMNS, volatility)[1], [1, np.log(0.02), 4, 5])
    assert available_inputs(COLUMNS) == ("range_ratio", "return_5")
    assert scale_inputs(values, ("a", "b", "c"), volatility).shape == (2, 2)


def test_a_planted_term_structure_is_found():
    x = make_inputs(20_000)
    true_coefficients = np.array([[-2.0, -1.0], [-0.5, -0.3], [0.8, 0.2], [-0.1, 0.0]])

    estimate = fit_scale(x, normal_targets(len(x)) * np.exp(x @ true_coefficients))

    np.testing.assert_allclose(estimate[1:], true_coefficients[1:], atol=0.06)
    np.testing.assert_allclose(stretch(x, estimate), np.exp(x @ true_coefficients), rtol=0.1)


def test_it_is_the_ewma_where_the_inputs_tell_nothing():
    x = make_inputs(20_000)

    np.testing.assert_allclose(stretch(x, fit_scale(x, normal_targets(len(x)))), 1, atol=0.06)


@pytest.mark.parametrize("tails", [2.5, 4])
def test_heavy_tails_and_outliers_do_not_make_it_diverge(tails):
    x = make_inputs(1000)
    targets = np.random.default_rng(5).standard_t(tails, (1000, 2))
    targets[7] = 60.0

    assert np.abs(fit_scale(x, targets)[2:]).max() < 0.5


def test_constant_inputs_leave_the_constant_alone():
    x = np.column_stack([np.ones(600), np.full(600, np.log(2e-4)), np.zeros((600, 2))])

    estimate = fit_scale(x, 2 * normal_targets(600))

    np.testing.assert_allclose(estimate[1:], 0, atol=1e-3)
    np.testing.assert_allclose(stretch(x, estimate), 2, rtol=0.1)


def test_without_enough_targets_the_scale_is_the_ewma():
    x = make_inputs(MIN_TARGETS + 50)
    few, none_moved = normal_targets(len(x)), np.zeros((len(x), 2))
    few[MIN_TARGETS - 1 :] = np.nan

    assert (fit_scale(x, few) == 0).all()
    assert (fit_scale(x, none_moved) == 0).all()
    assert (fit_scale(x[:0], few[:0]) == 0).all()


def test_no_input_stretches_a_band_beyond_the_limit():
    x = np.array([[1.0, -4.0, 50.0, 0.0], [1.0, -4.0, -50.0, 0.0]])

    np.testing.assert_allclose(stretch(x, np.ones((4, 1)))[:, 0], np.exp([MAX_EXPONENT, -MAX_EXPONENT]))


def test_the_walk_uses_only_targets_matured_before_each_block():
    x, targets, rows = make_inputs(900), normal_targets(900, 3), np.arange(100, 1000)
    other_targets = targets.copy()
    for horizon in (1, 2, 3):  # targets after the first row of the third block
        other_targets[2 * REFIT_EVERY - horizon + 1 :, horizon - 1] *= 9

    before, after = walk_forward_stretch(x, targets, rows), walk_forward_stretch(x, other_targets, rows)

    assert (before[:REFIT_EVERY] == 1).all()
    assert (before[REFIT_EVERY : 2 * REFIT_EVERY] != 1).all()
    np.testing.assert_array_equal(after[: 3 * REFIT_EVERY], before[: 3 * REFIT_EVERY])
    assert (after[3 * REFIT_EVERY :] != before[3 * REFIT_EVERY :]).all()
