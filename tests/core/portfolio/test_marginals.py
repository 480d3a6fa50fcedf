import numpy as np
import pytest

from tests.core.risk.distributions import normal_distribution
from zenith_core.portfolio.marginals import with_marginal


def test_draws_have_the_quantiles_of_the_distribution():
    distribution = normal_distribution(daily=0.02)
    values = with_marginal(np.random.default_rng(0).standard_normal(10_000), distribution, 5)

    returns = distribution.scale[4] * distribution.quantiles[4]
    np.testing.assert_allclose(np.quantile(values, distribution.levels, method="hazen"), returns, atol=1e-4)


def test_draws_keep_their_order():
    draws = np.random.default_rng(0).permutation(np.linspace(-3, 3, 500))
    values = with_marginal(draws, normal_distribution(), 1)

    np.testing.assert_array_equal(np.argsort(values), np.argsort(draws))


def test_the_last_slope_goes_on_beyond_the_outermost_level():
    values = with_marginal(np.arange(100_000.0), normal_distribution(daily=1.0), 1)

    assert values[[0, -1]] == pytest.approx([-4.417, 4.417], abs=0.01)  # the normal quantile of half a draw
