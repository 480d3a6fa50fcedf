"""GARCH and GJR against figures worked by hand, simulated returns of known parameters, and the square root of time."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from tests.core.scale_pools import swinging_prices
from zenith_core.risk.garch import Garch, fit_garch, garch_quantiles, simulated_quantiles
from zenith_core.risk.peers import PEERS, REFIT, peer_quantiles
from zenith_core.risk.price_moves import price_moves

TRUE = Garch(mean=0.0005, omega=4e-6, rise=0.04, fall=0.16, beta=0.86, freedom=6.0, start=2e-4)
CONSTANT = Garch(mean=0.0, omega=1e-4, rise=0.0, fall=0.0, beta=0.0, freedom=1e6, start=1e-4)
LEVELS = (0.05, 0.5, 0.95)


def simulated_returns(model, count):
    shocks = np.random.default_rng(3).standard_t(model.freedom, count) * np.sqrt((model.freedom - 2) / model.freedom)
    variance, returns = model.omega / (1 - model.persistence), []
    for draw in shocks:
        shock = np.sqrt(variance) * draw
        returns.append(model.mean + shock)
        variance = model.omega + (model.rise if shock > 0 else model.fall) * shock**2 + model.beta * variance
    return np.array(returns)


@pytest.fixture(scope="module")
def returns():
    return simulated_returns(TRUE, 5000)


def test_variances_worked_by_hand():
    # 1 + 0.5 * 2² + 0.25 * 1 after a rise of 2, then 1 + 1 * 1² + 0.25 * 3.25 after a fall of 1.
    model = Garch(mean=0.0, omega=1.0, rise=0.5, fall=1.0, beta=0.25, freedom=5.0, start=1.0)

    np.testing.assert_allclose(model.variances(np.array([2.0, -1.0])), [1.0, 3.25, 2.8125])


@pytest.mark.slow
def test_the_fit_finds_the_parameters_that_made_the_returns(returns):
    fit = fit_garch(returns, is_symmetric=False)

    assert fit.persistence == pytest.approx(TRUE.persistence, abs=0.03)
    assert fit.fall - fit.rise == pytest.approx(0.12, abs=0.06)
    assert fit.freedom == pytest.approx(6, abs=1.5)
    assert fit.mean == pytest.approx(TRUE.mean, abs=3 * returns.std() / 5000**0.5)
    symmetric = fit_garch(returns, is_symmetric=True)
    assert symmetric.rise == symmetric.fall


@pytest.mark.slow
def test_the_fit_does_not_depend_on_the_unit(returns):
    fit, percent = (fit_garch(scale * returns, is_symmetric=True) for scale in (1, 100))

    assert percent.beta == pytest.approx(fit.beta, abs=1e-3)
    assert percent.omega == pytest.approx(1e4 * fit.omega, rel=0.02)


def test_one_session_has_the_tails_of_student_and_more_have_those_of_the_normal(returns):
    quantiles = garch_quantiles(TRUE, returns, np.array([5000]), (1, 20), LEVELS)

    variance = TRUE.variances(returns)[-1]
    heavy = stdtrit(6, LEVELS) * np.sqrt(4 / 6)
    np.testing.assert_allclose(quantiles[0, 0], TRUE.mean + np.sqrt(variance) * heavy)
    total = 0.0
    for _ in range(20):
        total, variance = total + variance, TRUE.omega + TRUE.persistence * variance
    np.testing.assert_allclose(quantiles[0, 1], 20 * TRUE.mean + np.sqrt(total) * ndtri(LEVELS))


def test_a_constant_variance_grows_with_the_root_of_time():
    returns = 0.01 * np.random.default_rng(1).normal(size=3000)

    quantiles = simulated_quantiles(CONSTANT, returns, np.full(40, 3000), (1, 5, 20), LEVELS)

    expected = 0.01 * np.sqrt([1, 5, 20])[:, np.newaxis] * ndtri(LEVELS)
    np.testing.assert_allclose(quantiles.mean(axis=0), expected, atol=0.002)


@pytest.mark.slow
def test_paths_of_an_explosive_fit_stay_finite(returns):
    explosive = replace(TRUE, beta=0.99)

    assert np.abs(simulated_quantiles(explosive, returns, np.array([5000]), (20,), LEVELS)).max() < 1


@pytest.mark.slow
def test_a_peer_knows_nothing_after_its_origin():
    prices = swinging_prices(5, 1000)
    origins = np.arange(400, 990, 97)
    later = prices.copy()
    later.iloc[REFIT + 300 :, :4] *= 2  # after the second fit's first origin but one

    own, other = (peer_quantiles(price_moves(each), origins, (1, 5), LEVELS) for each in (prices, later))

    before = origins < REFIT + 300
    assert set(own) == set(PEERS)
    for name in PEERS:
        assert own[name].shape == (len(origins), 2, len(LEVELS))
        np.testing.assert_array_equal(own[name][before], other[name][before])
        assert not np.array_equal(own[name][~before], other[name][~before])


def test_paths_of_residuals_with_outliers_stay_finite(returns):
    moves = returns.copy()
    moves[::100] *= 12  # the variance of the residuals is then far above the 1 that the parameters assume

    assert np.abs(simulated_quantiles(TRUE, moves, np.array([5000]), (20,), LEVELS)).max() < 2


def test_a_standstill_leaves_a_fit_with_a_least_variance(returns):
    moves = returns[:1000].copy()
    moves[:400][np.arange(400) % 40 > 0] = 0.0  # a move now and then

    assert fit_garch(moves, is_symmetric=False).omega == pytest.approx(0.01 * moves.var())


def test_a_fit_without_a_least_variance_has_sensible_paths_after_a_standstill(returns):
    moves = returns[:1000].copy()
    moves[:100] = 0.0  # the variance of the next session is hardly any, and its residual has hundreds of deviations
    nervous = Garch(mean=0.0, omega=1e-12, rise=0.77, fall=0.82, beta=0.2, freedom=2.8, start=2e-4)

    quantiles = simulated_quantiles(nervous, moves, np.array([1000]), (1, 20), LEVELS)[0][:, [0, 2]]

    in_units = np.abs(quantiles) / (returns[:1000].std() * np.sqrt([[1], [20]]))
    assert in_units.max() < 4  # 65 where variances and residuals are of different parameters
    assert in_units.min() > 0.65  # 0.5 where such a residual shrinks all others
