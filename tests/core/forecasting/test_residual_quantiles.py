import numpy as np
import pytest

from zenith_core.errors import TrainingError
from zenith_core.forecasting.residual_quantiles import HALF_LIFE, matured_values, price_forecasts, residual_quantiles
from zenith_core.inference import QUANTILES


def test_quantiles_are_those_of_the_known_residuals_of_each_horizon():
    ranks = np.arange(1.0, 100) - 50  # of 99 values, the k-th is the quantile of level k / 100
    residuals = np.stack([ranks, 2 * ranks[::-1]], axis=1)
    unknown = np.full((7, 2), np.nan)

    quantiles = residual_quantiles(np.concatenate([residuals, unknown]), np.zeros(106, dtype=int))

    assert quantiles.shape == (2, len(QUANTILES))
    np.testing.assert_allclose(quantiles[0], [-45, -40, -25, 0, 25, 40, 45], atol=1e-12)
    np.testing.assert_allclose(quantiles[1], 2 * quantiles[0], atol=1e-12)


def test_a_residual_counts_half_as_much_after_a_half_life():
    recent, old = np.linspace(-1, 1, 400), np.linspace(9, 11, 400)
    ages = np.repeat([0, HALF_LIFE], 400)

    quantiles = residual_quantiles(np.concatenate([recent, old])[:, np.newaxis], ages)[0]

    # Two thirds of the weight lie within [-1, 1]: the median is at three quarters of them.
    assert quantiles[3] == pytest.approx(0.5, abs=0.01)
    assert quantiles[0] == pytest.approx(-0.85, abs=0.01)


def test_an_interval_holds_its_forecast_even_if_all_residuals_have_one_sign():
    positive = np.linspace(1, 2, 101)[:, np.newaxis]

    ages = np.zeros(101, dtype=int)

    assert residual_quantiles(positive, ages)[0, 0] == 0
    assert residual_quantiles(-positive, ages)[0, -1] == 0
    assert (np.diff(residual_quantiles(positive, ages)) >= 0).all()


def test_too_few_residuals_are_refused():
    residuals = np.zeros((50, 2))
    residuals[39:, 1] = np.nan

    with pytest.raises(TrainingError, match=r"^39 out-of-sample residuals at horizon 2: intervals need at least 40"):
        residual_quantiles(residuals, np.arange(50))


def test_a_score_is_a_number_of_deviations_that_grow_with_the_root_of_the_horizon():
    prices = price_forecasts(np.array([[1.0, 1.0, -0.5, 0.0]]), np.array([100.0]), np.array([0.02]))

    np.testing.assert_allclose(prices, 100 * np.exp([[0.02, 0.02 * 2**0.5, -0.01 * 3**0.5, 0.0]]))


def test_only_matured_residuals_are_used():
    residuals = np.arange(6.0).reshape(2, 3)

    past_residuals = matured_values(residuals, np.array([10, 11]), now=12)

    np.testing.assert_array_equal(past_residuals, [[0, 1, np.nan], [3, np.nan, np.nan]])


def test_the_interval_has_its_nominal_coverage_out_of_sample():
    rng = np.random.default_rng(0)
    past, unseen = rng.standard_t(5, size=(2, 20_000, 1))

    quantiles = residual_quantiles(past, np.zeros(20_000, dtype=int))[0]

    assert np.mean((unseen >= quantiles[0]) & (unseen <= quantiles[-1])) == pytest.approx(0.9, abs=0.01)
