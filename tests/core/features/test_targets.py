import numpy as np

from zenith_core.features.targets import forward_log_returns, root_horizons, signal_labels, standardized_returns


def test_forward_returns_look_ahead_by_their_horizon_and_are_unknown_at_the_end():
    returns = forward_log_returns(np.exp([0.0, 0.1, 0.3, 0.2]), horizons=2)

    np.testing.assert_allclose(returns, [[0.1, 0.3], [0.2, 0.1], [-0.1, np.nan], [np.nan, np.nan]], atol=1e-12)


def test_more_horizons_than_sessions_are_unknown():
    returns = forward_log_returns(np.exp([0.0, 0.1]), horizons=3)

    np.testing.assert_allclose(returns, [[0.1, np.nan, np.nan], [np.nan] * 3], atol=1e-12)


def test_an_unknown_close_makes_the_returns_from_it_and_to_it_unknown():
    returns = forward_log_returns(np.array([1.0, np.nan, 1.0, 1.0]), horizons=1)

    np.testing.assert_array_equal(np.isnan(returns[:, 0]), [True, True, False, True])


def test_standardized_returns_of_a_random_walk_have_unit_variance_at_every_horizon():
    rng = np.random.default_rng(0)
    volatility = np.full(200_000, 0.02)
    close = np.exp(np.cumsum(rng.normal(scale=0.02, size=len(volatility))))

    scores = standardized_returns(forward_log_returns(close, 4), volatility)

    np.testing.assert_allclose(np.nanstd(scores, axis=0), 1.0, atol=0.02)


def test_root_horizons():
    np.testing.assert_allclose(root_horizons(4), [1.0, 2**0.5, 3**0.5, 2.0])


def test_labels_compare_the_forward_return_with_scaled_volatility():
    log_close = np.array([0.0, 0.0, 0.03, 0.03, 0.0, 0.001])
    volatility = np.full(6, 0.02)

    labels = signal_labels(np.exp(log_close), volatility, horizon=2, threshold=0.5)  # ± 0.5 * 0.02 * sqrt(2) = 0.0141

    np.testing.assert_array_equal(labels, [2, 2, 0, 0, -1, -1])


def test_a_return_inside_the_threshold_is_hold_and_unknown_volatility_is_unknown():
    close = np.exp([0.0, 0.001, 0.002, 0.003])

    labels = signal_labels(close, np.array([0.02, np.nan, 0.02, 0.02]), horizon=1)

    np.testing.assert_array_equal(labels, [1, -1, 1, -1])
    assert labels.dtype == np.int8
