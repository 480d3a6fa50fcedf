import numpy as np
import pytest

from tests.core.risk.distributions import normal_distribution
from zenith_core.portfolio.marginals import with_marginal


def mirrored(half: np.ndarray) -> np.ndarray:
    return np.concatenate((half, -half))


def test_draws_have_the_quantiles_of_the_distribution():
    distribution = normal_distribution(daily=0.02)
    values = with_marginal(mirrored(np.random.default_rng(0).standard_normal(5_000)), distribution, 5)

    returns = distribution.scale[4] * distribution.quantiles[4]
    np.testing.assert_allclose(np.quantile(values, distribution.levels, method="hazen"), returns, atol=1e-4)


def test_draws_keep_their_order():
    generator = np.random.default_rng(0)
    draws = mirrored(generator.permutation(np.linspace(0.01, 3, 250)) * generator.choice([-1, 1], 250))
    values = with_marginal(draws, normal_distribution(), 1)

    np.testing.assert_array_equal(np.argsort(values), np.argsort(draws))


def test_the_last_slope_goes_on_beyond_the_outermost_level():
    values = with_marginal(mirrored(np.arange(50_000.0) + 1), normal_distribution(daily=1.0), 1)

    assert [values.min(), values.max()] == pytest.approx(
        [-4.417, 4.417], abs=0.01
    )  # the normal quantile of half a draw
