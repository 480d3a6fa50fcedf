"""The probability to touch a price: a Brownian motion's by reflection, and bounds beyond the stored quantiles."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.risk.distributions import NORMAL, normal_distribution
from zenith_core.errors import UserError
from zenith_core.risk.interpolation import Probability
from zenith_core.risk.touch import touch_probability

DISTRIBUTION = normal_distribution()


@pytest.mark.parametrize("change", [0.005, 0.01, 0.03, -0.01, -0.03])
def test_a_brownian_motion_touches_twice_as_often_as_it_ends_beyond(change):
    probability = touch_probability(DISTRIBUTION, 4, 100 * math.exp(change), 100)

    assert probability.limit is None
    assert probability.value == pytest.approx(2 * NORMAL.cdf(-abs(change) / 0.02), abs=0.004)


def test_a_price_that_no_stored_quantile_reaches_has_a_bound():
    assert touch_probability(DISTRIBUTION, 1, 200, 100) == Probability(pytest.approx(0.001), "at_most")
    assert touch_probability(DISTRIBUTION, 1, 50, 100) == Probability(pytest.approx(0.001), "at_most")
    assert touch_probability(DISTRIBUTION, 1, 100.0001, 100) == Probability(pytest.approx(0.999), "at_least")
    assert touch_probability(DISTRIBUTION, 1, 99.9999, 100) == Probability(pytest.approx(0.999), "at_least")


def test_the_smallest_number_is_a_price_like_any_that_no_quantile_reaches():
    assert touch_probability(DISTRIBUTION, 1, 5e-324, 100) == touch_probability(DISTRIBUTION, 1, 50, 100)


def test_a_price_touched_within_fewer_sessions_is_touched_within_more():
    highs = DISTRIBUTION.highs.copy()
    highs[4:] *= 0.01  # as if the highest of 5 sessions could be below the highest of 4
    odd = replace(DISTRIBUTION, highs=highs)

    assert touch_probability(odd, 5, 102, 100) == touch_probability(odd, 4, 102, 100)


@pytest.mark.parametrize("price", [0, -1, float("nan"), float("inf")])
def test_only_a_positive_price_can_be_touched(price):
    with pytest.raises(UserError, match="must be a number above 0"):
        touch_probability(DISTRIBUTION, 1, price, 100)


def test_the_last_close_itself_is_refused():
    with pytest.raises(UserError, match="above or below the last close, 100"):
        touch_probability(DISTRIBUTION, 1, 100, 100)


def test_a_horizon_without_a_distribution_is_refused():
    with pytest.raises(UserError, match="horizon must be 1 to 30"):
        touch_probability(DISTRIBUTION, 31, 110, 100)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    highs=st.lists(st.floats(-2, 30), min_size=35, max_size=35),
    changes=st.tuples(st.floats(1e-6, 2), st.floats(1e-6, 2)),
    horizons=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    sign=st.sampled_from([-1, 1]),
)
def test_a_nearer_price_and_a_longer_time_are_never_less_likely(highs, changes, horizons, sign):
    highs = np.tile(sorted(highs), (30, 1))
    distribution = replace(DISTRIBUTION, highs=highs, lows=-highs[:, ::-1])
    near, far = sorted(changes)
    short, long = sorted(horizons)

    likely = touch_probability(distribution, long, math.exp(sign * near), 1.0).value

    assert 0 < touch_probability(distribution, short, math.exp(sign * near), 1.0).value <= likely < 1
    assert 0 < touch_probability(distribution, long, math.exp(sign * far), 1.0).value <= likely
