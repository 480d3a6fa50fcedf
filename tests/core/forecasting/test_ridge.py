import numpy as np
import pytest

from zenith_core.forecasting.ridge import fit_linear


@pytest.fixture
def sample():
    random = np.random.default_rng(1)
    values = random.normal([0.0, 5.0, -2.0], [1.0, 0.01, 30.0], (400, 3))
    slopes = np.array([[0.5, 0.1], [20.0, 0.0], [0.0, -0.02]])
    return values, (values - [0.0, 5.0, -2.0]) @ slopes + 0.1 * random.normal(size=(400, 2)), slopes


@pytest.mark.slow
def test_equals_scikit_learns_ridge_on_standardized_features(sample):
    from sklearn.linear_model import Ridge  # a second to import

    values, targets, _ = sample
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    reference = Ridge(alpha=0.5 * len(values), fit_intercept=False).fit(z, targets)
    np.testing.assert_allclose(fit_linear(values, targets, 0.5).predict(values), reference.predict(z))


def test_finds_the_slopes_in_any_units_of_the_features(sample):
    values, targets, slopes = sample
    in_deviations = values.std(axis=0)[:, np.newaxis]
    slopes_found = fit_linear(values, targets, penalty=1e-6).weights * in_deviations
    np.testing.assert_allclose(slopes_found, slopes * in_deviations, atol=0.03)


def test_average_features_forecast_no_change_however_the_targets_drift(sample):
    values, targets, _ = sample
    model = fit_linear(values, targets + 3.0)
    np.testing.assert_allclose(model.predict(values.mean(axis=0, keepdims=True)), 0.0, atol=1e-12)


def test_a_constant_column_gets_no_weight(sample):
    values, targets, _ = sample
    values[:, 1] = 0.1
    assert (fit_linear(values, targets).weights[1] == 0).all()


def test_shrinking_scales_every_answer(sample):
    values, targets, _ = sample
    model = fit_linear(values, targets)
    np.testing.assert_allclose(model.shrunk(0.25).predict(values), 0.25 * model.predict(values))


def test_each_horizon_is_scaled_by_its_own_factor(sample):
    values, targets, _ = sample
    model = fit_linear(values, targets)
    factors = np.linspace(1.0, 0.0, targets.shape[1])
    np.testing.assert_allclose(model.shrunk(factors).predict(values), factors * model.predict(values))
