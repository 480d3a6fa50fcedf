import numpy as np
import pytest
from scipy.stats import norm

from zenith_core.risk.error_quantiles import HALF_LIFE, LEAST_OWN, OTHERS, ErrorQuantiles, blend, error_quantiles
from zenith_core.risk.forecast_distribution import LEVELS, TAILS


def normal_errors(count, scale=1.0):
    values = scale * np.random.default_rng(2).normal(size=(1, count, 2))
    return np.repeat(values, 3, axis=0)


def test_quantiles_and_shortfalls_of_normal_errors():
    quantiles = error_quantiles(normal_errors(40_000))

    middle = slice(5, -5)
    np.testing.assert_allclose(quantiles.moves[0, 0, middle], norm.ppf(LEVELS)[middle], atol=0.04)
    shortfalls = -norm.pdf(norm.ppf(TAILS)) / np.array(TAILS)
    np.testing.assert_allclose(quantiles.shortfalls, np.tile(shortfalls, (2, 1)), atol=0.06)
    assert (np.diff(quantiles.moves) >= 0).all()


def test_levels_leave_room_for_the_next_error():
    errors = np.arange(1.0, 10.0).reshape(1, 9, 1).repeat(3, axis=0)  # the k-th of 9 is the quantile of level k / 10

    moves = error_quantiles(errors).moves[0, 0]
    np.testing.assert_allclose(moves[[LEVELS.index(0.1), LEVELS.index(0.5), LEVELS.index(0.9)]], [1, 5, 9])


def test_older_errors_count_less():
    errors = np.array([-1.0] * 100 + [1.0] * 100).reshape(1, -1, 1).repeat(3, axis=0)
    ages = np.array([2.0 * HALF_LIFE] * 100 + [0.0] * 100)

    assert error_quantiles(errors, ages).moves[0, 0, LEVELS.index(0.3)] == pytest.approx(1.0)
    assert error_quantiles(errors).moves[0, 0, LEVELS.index(0.3)] == pytest.approx(-1.0)


def test_unknown_errors_do_not_count():
    errors = normal_errors(500)
    with_gaps = np.concatenate([errors, np.full((3, 30, 2), np.nan)], axis=1)

    np.testing.assert_array_equal(error_quantiles(with_gaps).moves, error_quantiles(errors).moves)
    with pytest.raises(ValueError, match="no error"):
        error_quantiles(np.full((3, 5, 2), np.nan))


@pytest.mark.parametrize("count", [OTHERS, 60])
def test_the_longer_its_history_the_more_a_ticker_counts_itself(count):
    others, own = error_quantiles(normal_errors(2_000, 2.0)), normal_errors(count)
    ages = np.zeros(count)
    share = count / (count + OTHERS)

    both = blend(own, ages, others)
    expected = share * error_quantiles(own, ages).moves + (1 - share) * others.moves
    np.testing.assert_allclose(both.moves, expected)
    assert (both.shortfalls <= both.moves[0][:, [LEVELS.index(tail) for tail in TAILS]]).all()


def test_too_few_own_errors_do_not_count_at_all():
    others = error_quantiles(normal_errors(2_000, 2.0))

    assert blend(normal_errors(LEAST_OWN - 1), np.zeros(LEAST_OWN - 1), others) is others
    assert isinstance(blend(normal_errors(LEAST_OWN), np.zeros(LEAST_OWN), others), ErrorQuantiles)
