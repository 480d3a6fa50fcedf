"""The calibrator finds planted parameters, finds nothing in noise, and ignores the size of moves."""

import numpy as np
import pytest

from zenith_core.errors import TrainingError
from zenith_core.forecasting.calibration import (
    Calibrator,
    class_frequencies,
    direction_test,
    fit_calibrator,
    information_test,
)

RATES = np.array([0.3, 0.4, 0.3])


def drawn(probabilities, rng):
    return (rng.random((len(probabilities), 1)) > probabilities.cumsum(axis=1)).sum(axis=1)


def votes(rng, rows, concentration=30):
    return rng.dirichlet(concentration * RATES, rows)


def brier(probabilities, labels):
    return ((probabilities - np.eye(3)[labels]) ** 2).sum(axis=1)


@pytest.mark.slow
def test_a_planted_slope_and_planted_intercepts_are_found():
    rng = np.random.default_rng(0)
    true_calibrator = Calibrator(0.6, (0.3, -0.2, -0.1))
    raw = votes(rng, 20_000, concentration=5)
    labels = drawn(true_calibrator(raw), rng)

    estimate = fit_calibrator(raw, labels, class_frequencies(labels, 3), horizon=1)

    assert estimate.slope == pytest.approx(0.6, abs=0.03)
    gaps = np.subtract(estimate.intercepts, true_calibrator.intercepts)
    np.testing.assert_allclose(gaps - gaps.mean(), 0, atol=0.04)


@pytest.mark.slow
def test_calibrated_probabilities_stay():
    rng = np.random.default_rng(1)
    raw = votes(rng, 20_000, concentration=5)
    labels = drawn(raw, rng)

    fair = fit_calibrator(raw, labels, class_frequencies(labels, 3), horizon=1)(raw)

    np.testing.assert_allclose(fair, raw, atol=0.03)
    np.testing.assert_allclose(fair.sum(axis=1), 1)


@pytest.mark.slow
def test_the_slope_loses_the_share_of_its_square_that_chance_explains():
    """A hundred copies have the same likeliest slope and ten times the t, so that almost nothing of it is lost."""
    rng = np.random.default_rng(3)
    raw = votes(rng, 400, concentration=300)
    labels = drawn(raw, rng)
    t, _ = information_test(raw, labels, horizon=1)
    once = fit_calibrator(raw, labels, RATES, 1).slope
    often = fit_calibrator(np.tile(raw, (100, 1)), np.tile(labels, 100), RATES, 1).slope

    assert 1.2 < t < 3
    assert once / often == pytest.approx((1 - 1 / t**2) / (1 - 1 / (10 * t) ** 2), rel=0.03)


@pytest.mark.slow
def test_noise_is_shrunk_to_the_base_rates():
    rng = np.random.default_rng(2)
    slopes, losses = [], []
    for _ in range(60):
        raw, labels = votes(rng, 1000), rng.choice(3, 1000, p=RATES)
        calibrator = fit_calibrator(raw[:500], labels[:500], RATES, horizon=1)
        slopes.append(calibrator.slope)
        unseen = labels[500:]
        losses.append((brier(calibrator(raw[500:]), unseen) - brier(RATES, unseen)).mean())

    assert np.median(slopes) == 0
    assert np.mean(slopes) < 0.1
    assert np.mean(losses) < 0.002  # uncalibrated, it is 0.02


def test_the_mean_answer_is_the_base_rates():
    rng = np.random.default_rng(3)
    raw = votes(rng, 2000)
    labels = drawn(raw, rng)
    rates = np.array([0.2, 0.5, 0.3])

    np.testing.assert_allclose(fit_calibrator(raw, labels, rates, horizon=1)(raw).mean(axis=0), rates, atol=1e-6)


def test_without_any_row_the_answer_is_the_base_rates():
    calibrator = fit_calibrator(np.empty((0, 3)), np.empty(0, dtype=int), RATES, horizon=5)

    assert calibrator.slope == 0
    np.testing.assert_allclose(calibrator(np.array([[0.9, 0.1, 0.0]])), [RATES])


def test_a_model_that_is_always_wrong_is_silenced_and_not_turned_round():
    rng = np.random.default_rng(4)
    raw = votes(rng, 2000, concentration=5)

    assert fit_calibrator(raw, drawn(raw[:, ::-1], rng), RATES, horizon=1).slope == 0


def test_perfect_foresight_and_a_constant_answer_are_finite():
    labels = np.tile([0, 1, 2], 100)
    foresight = fit_calibrator(np.eye(3)[labels], labels, RATES, horizon=1)
    constant = fit_calibrator(np.tile(RATES, (300, 1)), labels, RATES, horizon=1)

    assert np.isfinite(foresight.intercepts).all()
    assert (foresight(np.eye(3)).argmax(axis=1) == [0, 1, 2]).all()
    assert constant.slope == 0
    np.testing.assert_allclose(constant(RATES[np.newaxis]), [RATES])


@pytest.mark.slow
def test_a_class_missing_among_the_judged_rows_keeps_its_base_rate():
    rng = np.random.default_rng(5)
    raw = votes(rng, 3000, concentration=5)
    labels = drawn(raw, rng)
    rows = labels != 2

    calibrator = fit_calibrator(raw[rows], labels[rows], RATES, horizon=1)

    assert calibrator.slope > 0.5
    assert calibrator(raw[rows]).mean(axis=0)[2] == pytest.approx(0.3, abs=1e-6)


def test_a_class_that_never_occurs_is_refused():
    with pytest.raises(TrainingError, match="a class that never occurs"):
        fit_calibrator(np.tile(RATES, (5, 1)), np.zeros(5, dtype=int), np.array([0.5, 0.5, 0.0]), horizon=1)


@pytest.mark.slow
def test_noise_is_called_information_about_one_time_in_twenty_though_outcomes_overlap():
    rng = np.random.default_rng(6)
    rejections = 0
    for _ in range(300):
        raw = votes(rng, 604)[: 604 // 4].repeat(4, axis=0)  # features move slowly
        steps = rng.normal(size=608)
        outcomes = np.convolve(steps, np.ones(5), "valid")  # five sessions each
        labels = np.digitize(outcomes, [-1.1, 1.1])
        rejections += information_test(raw, labels, horizon=5)[1] < 0.05
    assert 0.02 < rejections / 300 < 0.09


def test_information_is_found_even_in_an_overconfident_model():
    rng = np.random.default_rng(7)
    raw = votes(rng, 1500)
    labels = drawn(Calibrator(0.4, tuple(0.6 * np.log(RATES)))(raw), rng)

    statistic, p_value = information_test(raw, labels, horizon=1)

    assert p_value < 0.01
    assert statistic > 2.3


def test_class_frequencies_are_never_zero():
    np.testing.assert_allclose(class_frequencies(np.array([1, 1, 2]), 3), [1 / 6, 3 / 6, 2 / 6])


def test_knowing_only_the_size_of_moves_is_not_direction():
    rng = np.random.default_rng(8)
    hold = rng.uniform(0.1, 0.9, 1500)
    split = rng.uniform(0.3, 0.7, 1500)  # the model's direction: no information
    answers = np.column_stack([(1 - hold) * split, hold, (1 - hold) * (1 - split)])
    labels = np.where(rng.random(1500) < hold, 1, rng.choice([0, 2], 1500))

    assert information_test(answers, labels, 5)[1] < 0.001
    assert direction_test(answers, labels, 5)[1] > 0.05


def test_direction_is_found_where_it_is_known_and_only_on_the_right_side():
    rng = np.random.default_rng(9)
    up = rng.uniform(0.2, 0.6, 1500)
    answers = np.column_stack([0.8 - up, np.full(1500, 0.2), up])
    labels = np.array([rng.choice(3, p=answer) for answer in answers])

    assert direction_test(answers, labels, 5)[1] < 0.001
    assert direction_test(answers[:, ::-1], labels, 5)[1] > 0.999
    assert direction_test(answers[:0], labels[:0], 5) == (0.0, 1.0)
