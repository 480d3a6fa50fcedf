"""Bounded loss differences of served forecasts."""

import numpy as np
import pytest

from zenith_core.evidence.loss_differences import HUBER, differences, huber_loss, price_differences


def test_the_loss_is_half_the_square_and_then_its_tangent():
    assert huber_loss([0.0, 1.0, -1.0]).tolist() == [0.0, 0.5, 0.5]
    assert huber_loss([HUBER + 1])[0] == pytest.approx(HUBER**2 / 2 + HUBER)


def test_no_outcome_exceeds_the_bound():
    random = np.random.default_rng(1)
    forecast, outcome = random.normal(0, 1, 5000), random.standard_t(2, 5000) * 3
    gained, bounds = differences(forecast, outcome)
    assert (np.abs(gained) <= bounds + 1e-9).all()
    assert (np.abs(gained) > 0.999 * bounds).any()


def test_a_forecast_gains_where_it_is_nearer_and_loses_where_it_is_further_off():
    gained, _ = differences([0.2, 0.2, 0.2], [0.5, -0.5, 0.1])
    assert gained[0] > 0 > gained[1]
    assert gained[2] == pytest.approx(0)


def test_an_unknown_outcome_has_a_bound_but_no_difference():
    gained, bounds = differences([0.2], [np.nan])
    assert np.isnan(gained[0])
    assert bounds[0] == pytest.approx(0.2 * HUBER)


def test_prices_are_taken_in_units_of_their_band():
    close, deviation = np.array([100.0]), 0.02
    band = 100 * np.exp(np.array([[-1.644854], [1.644854]]) * deviation)
    gained, bounds = price_differences(close, 100 * np.exp([0.01]), *band, 100 * np.exp([0.02]))
    expected, bound = differences([0.5], [1.0])
    assert gained == pytest.approx(expected, rel=1e-5)
    assert bounds == pytest.approx(bound, rel=1e-5)


@pytest.mark.parametrize("broken", [{"upper": 90.0}, {"lower": 0.0}, {"close": np.nan}, {"forecast": -1.0}])
def test_a_row_without_a_usable_band_or_price_takes_no_part(broken):
    row = {"close": 100.0, "forecast": 101.0, "lower": 90.0, "upper": 110.0, "actual": 102.0, **broken}
    gained, bounds = price_differences(*(np.array([value]) for value in row.values()))
    assert (gained.tolist(), bounds.tolist()) == ([0.0], [0.0])
