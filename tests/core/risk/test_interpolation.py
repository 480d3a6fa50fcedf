"""Quantiles and probabilities between stored levels: exact for a normal distribution, and each the other's inverse."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenith_core.errors import UserError
from zenith_core.risk.interpolation import Probability, probability_below, probability_up_to, quantile_at

LEVELS = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
NORMAL = np.array([NormalDist(1, 2).inv_cdf(level) for level in LEVELS])

increasing_quantiles = st.lists(st.floats(-50, 50), min_size=7, max_size=7).map(lambda values: np.array(sorted(values)))


@pytest.mark.parametrize("level", [0.01, 0.013, 0.1, 0.5, 0.6, 0.98, 0.99])
def test_a_normal_distribution_is_met_exactly_between_the_levels(level):
    value = NormalDist(1, 2).inv_cdf(level)

    assert quantile_at(level, LEVELS, NORMAL) == pytest.approx(value)
    assert quantile_at(level, LEVELS, np.exp(NORMAL / 100)) == pytest.approx(np.exp(value / 100), rel=1e-3)


@pytest.mark.parametrize("level", [0.009, 0.991, 0, 1, float("nan")])
def test_a_level_beyond_the_outermost_is_refused(level):
    with pytest.raises(UserError, match=r"beyond the data: the outermost levels are 0\.01 and 0\.99"):
        quantile_at(level, LEVELS, NORMAL)


def test_the_stored_levels_have_their_stored_quantiles():
    assert [quantile_at(level, LEVELS, NORMAL) for level in LEVELS] == pytest.approx(list(NORMAL))


def test_beyond_the_outermost_quantiles_a_probability_is_a_bound():
    assert probability_below(-100, LEVELS, NORMAL) == Probability(0.01, "at_most")
    assert probability_up_to(-100, LEVELS, NORMAL) == Probability(0.01, "at_most")
    assert probability_below(100, LEVELS, NORMAL) == Probability(0.99, "at_least")
    assert probability_up_to(100, LEVELS, NORMAL) == Probability(0.99, "at_least")


def test_an_outcome_with_a_probability_of_its_own_is_not_below_itself():
    tied = np.array([-2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0])

    assert probability_below(0.0, LEVELS, tied).value == pytest.approx(0.25)
    assert probability_up_to(0.0, LEVELS, tied).value == pytest.approx(0.75)


@pytest.mark.slow
@settings(max_examples=30)
@given(quantiles=increasing_quantiles, level=st.floats(0.01, 0.99))
def test_probabilities_are_the_inverse_of_quantiles(quantiles, level):
    value = quantile_at(level, LEVELS, quantiles)
    below, up_to = probability_below(value, LEVELS, quantiles), probability_up_to(value, LEVELS, quantiles)

    assert below.value <= up_to.value
    if np.unique(quantiles).size == quantiles.size and np.diff(quantiles).min() > 1e-3:
        assert below.value - 1e-6 <= level <= up_to.value + 1e-6


@settings(max_examples=30)
@given(quantiles=increasing_quantiles, one=st.floats(-60, 60), other=st.floats(-60, 60))
def test_probabilities_grow_with_the_value(quantiles, one, other):
    low, high = sorted((one, other))

    for probability in (probability_below, probability_up_to):
        assert 0 < probability(low, LEVELS, quantiles).value <= probability(high, LEVELS, quantiles).value < 1
