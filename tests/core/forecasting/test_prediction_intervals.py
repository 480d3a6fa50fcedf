"""Bands have their nominal coverage, adapt to the volatility of the day, and use nothing of the future."""

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import TrainingError
from zenith_core.features.model_features import ewma_volatility
from zenith_core.features.targets import forward_log_returns, root_horizons, standardized_returns
from zenith_core.forecasting.prediction_intervals import BandCalibrator, OutOfSampleScores

HORIZONS = (1, 5, 20)
SESSIONS, START = 4000, 2000


def independent_returns(random):
    return 0.01 * random.standard_normal(SESSIONS)


def garch_returns(random):
    """GARCH(1,1) with Student-t shocks, persistence 0.97."""
    returns, variance = np.empty(SESSIONS), 1e-4
    shocks = random.standard_t(6, SESSIONS) / np.sqrt(6 / 4)
    for t in range(SESSIONS):
        returns[t] = np.sqrt(variance) * shocks[t]
        variance = 3e-6 + 0.07 * returns[t] ** 2 + 0.90 * variance
    return returns


class Setting:
    """Bands of a simulated price with the forecast of no change, drawn every 250 sessions from START on."""

    def __init__(self, returns):
        close = pd.Series(50 * np.exp(np.cumsum(returns)))
        self.volatility = ewma_volatility(close).to_numpy()
        self.returns = forward_log_returns(close.to_numpy(), max(HORIZONS))
        self.targets = standardized_returns(self.returns, self.volatility)
        self.no_change = np.zeros(self.targets.shape)
        values = np.log(self.volatility[:, np.newaxis]) * 0  # no information
        rows = np.arange(30, len(returns))
        self.calibrator = BandCalibrator(values, ("range_ratio",), self.volatility, self.targets, rows)

    def quantiles(self, start, stop):
        """Of log returns, (m, horizons, levels)."""
        rows = np.arange(start, stop)
        offsets = self.calibrator.offsets(self.calibrator.band_at(start, self.no_change), rows)
        return offsets * (self.volatility[rows, np.newaxis] * root_horizons(self.targets.shape[1]))[..., np.newaxis]

    def coverage(self):
        blocks = [self.quantiles(start, start + 250) for start in range(START, SESSIONS, 250)]
        bands, actual = np.concatenate(blocks), self.returns[START:]
        inside = (bands[..., 0] <= actual) & (actual <= bands[..., -1])
        return [inside[np.isfinite(actual[:, h - 1]), h - 1].mean() for h in HORIZONS]


@pytest.mark.slow
@pytest.mark.parametrize("simulation", [independent_returns, garch_returns])
def test_ninety_percent_is_ninety_percent(simulation):
    coverage = np.mean([Setting(simulation(np.random.default_rng(seed))).coverage() for seed in range(4)], axis=0)

    np.testing.assert_allclose(coverage, 0.9, atol=0.03)


@pytest.mark.slow
def test_bands_widen_with_volatility_and_revert_to_its_mean_with_the_horizon():
    setting = Setting(garch_returns(np.random.default_rng(3)))
    bands = setting.quantiles(3000, SESSIONS)
    width = bands[..., -1] - bands[..., 0]

    wild = setting.volatility[3000:] > np.quantile(setting.volatility[3000:], 0.9)
    calm = setting.volatility[3000:] < np.quantile(setting.volatility[3000:], 0.1)
    ratio = width[wild].mean(axis=0) / width[calm].mean(axis=0)
    assert ratio[0] > 1.5
    assert 1 < ratio[19] < 0.9 * ratio[0]


@pytest.mark.slow
def test_quantiles_do_not_cross_and_hold_the_forecast():
    bands = Setting(garch_returns(np.random.default_rng(1))).quantiles(START, SESSIONS)

    assert (np.diff(bands, axis=-1) > 0).all()
    assert (bands[..., 0] < 0).all()
    assert (bands[..., -1] > 0).all()


@pytest.mark.slow
def test_the_future_changes_no_band_before_it():
    returns = garch_returns(np.random.default_rng(2))
    other_targets = returns.copy()
    other_targets[START + 1 :] *= 3

    before, after = (Setting(series).quantiles(START, START + 1) for series in (returns, other_targets))

    np.testing.assert_array_equal(after, before)
    assert (
        Setting(other_targets).quantiles(START + 250, START + 251)
        != Setting(returns).quantiles(START + 250, START + 251)
    ).all()


@pytest.mark.slow
def test_forecasts_made_out_of_sample_calibrate_with_their_own_errors():
    setting = Setting(independent_returns(np.random.default_rng(4)))
    other_scores = setting.no_change.copy()
    other_scores[30:] = 5.0

    plain = setting.calibrator.band_at(3000, setting.no_change)
    other_band = setting.calibrator.band_at(3000, other_scores)

    np.testing.assert_array_equal(other_band.coefficients, plain.coefficients)
    assert other_band.quantiles[0, 3] == pytest.approx(-5, abs=0.5)


def test_errors_count_in_units_of_the_scale_that_was_known_when_they_were_made():
    random = np.random.default_rng(7)
    values, volatility = random.standard_normal((SESSIONS, 1)), np.full(SESSIONS, 0.01)
    targets = random.standard_normal((SESSIONS, 1)) * np.exp(0.7 * values)
    calibrator = BandCalibrator(values, ("range_ratio",), volatility, targets, np.arange(SESSIONS))

    quantiles = calibrator.band_at(SESSIONS - 1, np.zeros(targets.shape)).quantiles[0]

    # Normal ones, although the targets' own tails are heavier.
    np.testing.assert_allclose(quantiles[[0, 2, 4, 6]], [-1.645, -0.674, 0.674, 1.645], atol=0.12)


def test_the_first_out_of_sample_forecast_from_a_session_stays():
    scores = OutOfSampleScores(6, 2)

    scores.keep(np.array([1, 2]), np.full((2, 2), 1.0))
    scores.keep(np.array([2, 3]), np.full((2, 2), 2.0))
    scores.keep(np.array([], dtype=np.int64), np.empty((0, 2)))

    assert scores.values.tolist() == [[0, 0], [1, 1], [1, 1], [2, 2], [0, 0], [0, 0]]


@pytest.mark.slow
def test_too_little_history_is_refused():
    setting = Setting(independent_returns(np.random.default_rng(4)))

    with pytest.raises(TrainingError, match="^39 out-of-sample residuals at horizon 20"):
        setting.calibrator.band_at(30 + 38 + 20, setting.no_change)
