"""Value at risk, expected shortfall, volatility and price quantiles of a normal distribution, known in closed form."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.risk.distributions import NORMAL, normal_distribution
from zenith_core.errors import UserError
from zenith_core.risk.value_at_risk import (
    annual_volatility,
    expected_shortfall,
    expected_volatility,
    price_quantiles,
    value_at_risk,
)

DISTRIBUTION = normal_distribution()


@pytest.mark.parametrize("tail", [0.001, 0.004, 0.01, 0.02, 0.025, 0.05, 0.2, 0.5])
def test_value_at_risk_is_the_loss_at_the_normal_quantile(tail):
    assert value_at_risk(DISTRIBUTION, 4, tail) == pytest.approx(1 - math.exp(0.02 * NORMAL.inv_cdf(tail)), abs=1e-12)


@pytest.mark.parametrize("tail", [0.0025, 0.01, 0.018, 0.025, 0.04, 0.05, 0.3])
def test_expected_shortfall_is_that_of_the_normal_distribution(tail):
    normal = 1 - math.exp(-0.02 * NORMAL.pdf(NORMAL.inv_cdf(tail)) / tail)

    assert expected_shortfall(DISTRIBUTION, 4, tail) == pytest.approx(normal, rel=0.02)


def test_a_stored_shortfall_is_read_as_it_is():
    stored = replace(DISTRIBUTION, shortfalls=np.tile([-5.0, -4.0, -3.0], (30, 1)))

    losses = [expected_shortfall(stored, 1, tail) for tail in (0.01, 0.025, 0.05)]

    assert losses == pytest.approx([1 - math.exp(-0.05), 1 - math.exp(-0.04), 1 - math.exp(-0.03)])


def test_a_loss_is_positive_and_a_gain_negative():
    rising = replace(DISTRIBUTION, quantiles=DISTRIBUTION.quantiles + 10, shortfalls=DISTRIBUTION.shortfalls + 10)

    assert value_at_risk(DISTRIBUTION, 1, 0.05) > 0 > value_at_risk(rising, 1, 0.05)


def test_volatility_is_the_scale_and_a_year_has_the_sessions_of_its_market():
    assert expected_volatility(DISTRIBUTION, 4) == pytest.approx(0.02)
    assert annual_volatility(DISTRIBUTION, 4, 252) == pytest.approx(0.01 * math.sqrt(252))
    assert annual_volatility(DISTRIBUTION, 4, 365) == pytest.approx(0.01 * math.sqrt(365))


def test_a_price_quantile_is_around_the_close():
    prices = price_quantiles(DISTRIBUTION, [0.5, 0.9], 200)
    assert prices[0] == pytest.approx([200, 200 * math.exp(0.01 * NORMAL.inv_cdf(0.9))])


@pytest.mark.parametrize("tail", [0.0009, 0.0, -0.1, 0.6, float("nan")])
@pytest.mark.parametrize("answer", [value_at_risk, expected_shortfall])
def test_a_tail_beyond_the_data_is_refused(answer, tail):
    with pytest.raises(UserError, match=r"beyond the data: it must be between 0\.001 and 0\.5"):
        answer(DISTRIBUTION, 1, tail)


@pytest.mark.parametrize("horizon", [0, 31])
def test_a_horizon_without_a_distribution_is_refused(horizon):
    for ask in (
        lambda: value_at_risk(DISTRIBUTION, horizon, 0.05),
        lambda: expected_shortfall(DISTRIBUTION, horizon, 0.05),
        lambda: expected_volatility(DISTRIBUTION, horizon),
    ):
        with pytest.raises(UserError, match="horizon must be 1 to 30 sessions"):
            ask()


def test_a_level_of_a_price_beyond_the_data_is_refused():
    with pytest.raises(UserError, match="beyond the data"):
        price_quantiles(DISTRIBUTION, [0.9999], 100)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    quantiles=st.lists(st.floats(-30, 30), min_size=35, max_size=35),
    shortfalls=st.lists(st.floats(-60, 5), min_size=3, max_size=3),
    scale=st.floats(1e-6, 3),
    tails=st.tuples(st.floats(0.001, 0.5), st.floats(0.001, 0.5)),
)
def test_losses_grow_towards_the_tail_and_never_exceed_the_price(quantiles, shortfalls, scale, tails):
    distribution = replace(
        normal_distribution(horizons=1),
        scale=np.array([scale]),
        quantiles=np.array([sorted(quantiles)]),
        shortfalls=np.array([shortfalls]),
    )
    fine, coarse = sorted(tails)

    losses = [value_at_risk(distribution, 1, tail) for tail in (fine, coarse)]
    shortfall = expected_shortfall(distribution, 1, fine)

    assert losses[1] <= losses[0] <= shortfall <= 1
