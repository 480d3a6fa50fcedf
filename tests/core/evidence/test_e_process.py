"""E-processes on loss differences. Simulations have fixed seeds; the tolerance is three standard errors or more."""

import numpy as np
import pytest

from zenith_core.evidence.e_process import MAX_STAKE, log_e_value, log_mean, log_wealths, split_series
from zenith_core.evidence.loss_differences import differences


def wealth_paths(returns, forecasts):
    """Return the wealth after each session of many tickers, (sessions, tickers)."""
    return np.exp(log_mean(log_wealths(*differences(forecasts, returns))))


def noise(random, sessions, tickers):
    """Return heavy-tailed returns, and forecasts of any size that know nothing of them."""
    forecasts = random.normal(0, 0.3, (sessions, tickers)) * random.choice([0.1, 1.0, 3.0], tickers)
    return random.standard_t(3, (sessions, tickers)), forecasts


def e_value(returns, forecasts, horizon, known):
    """Return the e-value of forecasts from sessions 0, 1, 2 ..., as of the close of session `known`."""
    origins = np.arange(known + 1)
    sums = np.concatenate([[0.0], np.cumsum(returns)])  # by session: the log close
    targets = origins + horizon
    outcomes = np.full(len(origins), np.nan)
    matured = targets <= known
    outcomes[matured] = (sums[targets[matured]] - sums[origins[matured]]) / np.sqrt(horizon)
    gained, bounds = differences(forecasts[origins], outcomes)
    return np.exp(log_e_value(gained, bounds, origins, targets, horizon, known))


@pytest.mark.slow
def test_under_the_null_the_mean_is_at_most_one():
    wealth = wealth_paths(*noise(np.random.default_rng(1), 100, 4000))[-1]
    assert wealth.mean() <= 1 + 3 * wealth.std() / np.sqrt(wealth.size)


def test_under_the_null_at_most_one_in_twenty_ever_reaches_twenty_to_one():
    wealth = wealth_paths(*noise(np.random.default_rng(2), 250, 1000))
    assert (wealth.max(axis=0) >= 20).mean() <= 0.05


def test_a_forecast_at_the_edge_of_the_null_is_no_evidence_either():
    """Twice the true expectation loses exactly as much as nothing does."""
    random = np.random.default_rng(3)
    expected = random.normal(0, 0.1, (100, 4000))
    wealth = wealth_paths(expected + random.standard_normal(expected.shape), 2 * expected)
    assert wealth[-1].mean() <= 1 + 3 * wealth[-1].std() / np.sqrt(wealth[-1].size)


def test_evidence_grows_for_forecasts_that_are_right_calibrated_or_shrunk():
    random = np.random.default_rng(4)
    expected = random.normal(0, 0.25, (750, 100))
    returns = expected + random.standard_normal(expected.shape)
    for share in (1.0, 0.5, 0.25):
        assert np.median(wealth_paths(returns, share * expected)[-1]) > 50


def test_how_often_one_looks_changes_no_e_value():
    random = np.random.default_rng(6)
    returns, forecasts = random.standard_normal(40), random.normal(0, 0.3, 40)
    at_once = wealth_paths(returns[:, None], forecasts[:, None])[:, 0]
    each_day = [wealth_paths(returns[:day, None], forecasts[:day, None])[-1, 0] for day in range(1, 41)]
    assert at_once == pytest.approx(each_day)
    assert e_value(returns, forecasts, 1, 39) == pytest.approx(at_once[38])


def test_no_outcome_takes_more_than_the_stake():
    wealth = wealth_paths(np.full((1, 1), -1e6), np.full((1, 1), 50.0))
    assert wealth[0, 0] == pytest.approx(1 - MAX_STAKE)


def test_a_forecast_that_the_price_stays_bets_nothing():
    assert wealth_paths(np.full((5, 1), 9.0), np.zeros((5, 1))).tolist() == [[1.0]] * 5


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_series_of_overlapping_forecasts_do_not_overlap(horizon):
    origins = np.arange(60)
    series = split_series(origins, origins + horizon, horizon)
    assert len(series) == horizon
    assert sorted(np.concatenate(series)) == origins.tolist()
    assert all((np.diff(rows) >= horizon).all() for rows in series)


def test_a_second_forecast_of_a_session_does_not_bet_again():
    origins, targets = np.array([0, 0, 1]), np.array([1, 1, 2])
    assert [rows.tolist() for rows in split_series(origins, targets, 1)] == [[0, 2]]


@pytest.mark.slow
def test_stopping_before_an_open_bet_is_lost_gains_nothing():
    """Stop on the first day on which the open bets look bad, else at the end: the mean stays at most 1."""
    random, horizon, bound = np.random.default_rng(7), 5, 0.12
    values = []
    for _ in range(400):
        returns = random.standard_normal(15)
        sums = np.concatenate([[0.0], np.cumsum(returns)])
        open_gain = [sums[day] * min(day, horizon) - sums[max(0, day - horizon) : day].sum() for day in range(16)]
        day = next((day for day in range(5, 15) if open_gain[day] < -3), 15)
        origins = np.arange(day + 1)
        matured = origins + horizon <= day
        gained = np.full(day + 1, np.nan)
        gained[matured] = bound * np.sign(sums[origins[matured] + horizon] - sums[origins[matured]])
        values.append(np.exp(log_e_value(gained, np.full(day + 1, bound), origins, origins + horizon, horizon, day)))
    assert np.mean(values) <= 1 + 2 * np.std(values) / np.sqrt(len(values))


def test_an_open_bet_counts_as_lost_but_not_one_of_which_nothing_is_known():
    forecasts = np.full(3, 0.2)
    assert e_value(np.zeros(3), forecasts, 5, 0) == pytest.approx(1.0)
    assert e_value(np.zeros(3), forecasts, 5, 1) < 1.0


def test_horizons_share_the_stake_so_that_one_series_is_a_fifth():
    gained, bounds = np.array([0.3]), np.array([0.3])
    alone = np.exp(log_e_value(gained, bounds, np.array([0]), np.array([1]), 1, 1))
    fifth = np.exp(log_e_value(gained, bounds, np.array([0]), np.array([5]), 5, 5))
    assert fifth == pytest.approx((alone + 4) / 5)
