import numpy as np
import pytest

from tests.core.portfolio.universe import drawn_returns
from zenith_core.portfolio.joint_forecast import JointForecast, drift, joint_forecast

MATRIX = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
FORECAST = JointForecast(np.array([0.1, 0.05, 0.0]), np.array([0.01, 0.0, 0.0]), MATRIX)


def test_draws_have_the_scale_the_drift_and_the_correlation():
    draws = FORECAST.draw(40_000, seed=1)

    np.testing.assert_allclose(draws.mean(axis=0), FORECAST.drift, atol=1e-12)
    np.testing.assert_allclose(draws.std(axis=0), FORECAST.scale, rtol=0.02)
    assert np.corrcoef(draws[:, 0], draws[:, 1])[0, 1] == pytest.approx(0.5, abs=0.02)
    assert not draws[:, 2].any()


def test_the_tails_come_together():
    draws = np.abs(JointForecast(np.ones(2), np.zeros(2), np.eye(2)).draw(40_000, seed=1)) > 2.5

    assert draws.all(axis=1).mean() > 3 * draws.mean() ** 2


def test_a_seed_gives_the_same_draws():
    np.testing.assert_array_equal(FORECAST.draw(100, seed=5), FORECAST.draw(100, seed=5))
    assert (FORECAST.draw(100, seed=5) != FORECAST.draw(100, seed=6)).any()


def test_the_drift_is_shrunk_to_a_fraction():
    daily = np.full((252 * 5, 1), 0.001)

    assert drift(daily, 20) == pytest.approx(0.02 * 5 / 25)


def test_a_forecast_is_of_the_selected_tickers():
    returns = drawn_returns()
    returns[-20:, 2] = 0.0

    forecast = joint_forecast(returns, np.array([0, 2, 7]), 20)

    assert forecast.correlation.shape == (3, 3)
    assert forecast.scale[0] < forecast.scale[2]
    assert forecast.scale[1] == forecast.drift[1] == 0
