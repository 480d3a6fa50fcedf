"""The evidence for a Sharpe ratio: against published examples, closed forms and the `arch` package."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zenith_core.statistics.sharpe import (
    ReturnMoments,
    deflated_sharpe,
    excess_p_value,
    expected_best_sharpe,
    percentile_interval,
    probabilistic_sharpe,
    resampled_sharpes,
    return_moments,
    sharpe_evidence,
    stationary_bootstrap,
)

# Bailey and López de Prado (2014), "A numerical example": Sharpe 2.5 a year of 250 days, five years, V = 1/2 a year.
PAPER = ReturnMoments(sharpe=2.5 / 250**0.5, sessions=1250, skewness=-3, kurtosis=10)
VARIANCE = 0.5 / 250


def curve(returns):
    return 100 * np.cumprod(np.append(1.0, 1 + returns))


def test_the_published_example_of_the_deflated_sharpe_ratio():
    assert expected_best_sharpe(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(PAPER, 100, VARIANCE) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(PAPER, 46, VARIANCE) == pytest.approx(0.9505, abs=5e-5)
    normal = replace(PAPER, skewness=0, kurtosis=3)
    assert deflated_sharpe(normal, 88, VARIANCE) == pytest.approx(0.9505, abs=5e-5)


def test_the_published_example_of_the_probabilistic_sharpe_ratio():
    """Bailey and López de Prado (2012): two years of monthly returns of a hedge fund."""
    fund = ReturnMoments(sharpe=0.458, sessions=24)
    assert probabilistic_sharpe(fund) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(replace(fund, skewness=-2.448, kurtosis=10.164)) == pytest.approx(0.913, abs=5e-4)


def test_one_trial_is_held_against_no_skill_and_more_trials_against_more():
    assert deflated_sharpe(PAPER, 1, VARIANCE) == probabilistic_sharpe(PAPER)
    estimate = [deflated_sharpe(PAPER, trials, VARIANCE) for trials in (1, 2, 10, 1000)]
    assert estimate == sorted(estimate, reverse=True)


def test_the_expected_best_sharpe_agrees_with_simulation():
    draws = np.random.default_rng(0).normal(0, 0.3, (20_000, 50))
    assert expected_best_sharpe(50, 0.09) == pytest.approx(draws.max(axis=1).mean(), rel=0.02)


def test_moments_of_returns():
    returns = np.array([0.02, -0.01, 0.0, 0.03])
    moments = return_moments(returns)
    z = (returns - returns.mean()) / returns.std()
    assert moments.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert (moments.skewness, moments.kurtosis) == pytest.approx((np.mean(z**3), np.mean(z**4)))
    assert return_moments(np.full(9, 0.01)) is None


def test_resampled_blocks_are_of_the_asked_length_and_wrap_around():
    positions = stationary_bootstrap(20_000, 10.0, np.random.default_rng(1))
    follows = (np.diff(positions) % 20_000 == 1).mean()
    assert follows == pytest.approx(0.9, abs=0.01)  # a block ends with the chance 1/10
    assert np.bincount(positions, minlength=20_000).max() < 20
    short = stationary_bootstrap(3, 1e9, np.random.default_rng(1))
    assert ((np.diff(short) % 3) == 1).all()


@pytest.mark.slow
def test_the_interval_of_independent_returns_is_the_closed_form():
    """Lo (2002): the variance of a Sharpe ratio is (1 + Sharpe^2 / 2) / n."""
    returns = np.random.default_rng(2).normal(0.001, 0.01, 1500)
    low, high = percentile_interval(resampled_sharpes(returns[np.newaxis], block=5)[0])
    sharpe = return_moments(returns).sharpe
    error = ((1 + sharpe**2 / 2) / 1500) ** 0.5
    assert (low, high) == pytest.approx((sharpe - 1.645 * error, sharpe + 1.645 * error), abs=0.2 * error)


@pytest.mark.slow
def test_blocks_widen_the_interval_of_correlated_returns():
    noise = np.random.default_rng(3).normal(0, 0.01, 2000)
    returns = np.convolve(noise, np.ones(8) / 8, mode="valid")
    widths = [np.ptp(percentile_interval(resampled_sharpes(returns[np.newaxis], block)[0])) for block in (1, 30)]
    assert widths[1] > 1.8 * widths[0]


@pytest.mark.slow  # the import of arch
def test_the_interval_agrees_with_arch():
    bootstrap = pytest.importorskip("arch.bootstrap")
    returns = np.random.default_rng(4).standard_t(4, 800) * 0.01 + 0.0005
    theirs = bootstrap.StationaryBootstrap(9, returns, seed=5).conf_int(
        lambda values: values.mean() / values.std(ddof=1), reps=1000, method="percentile", size=0.9
    )
    ours = percentile_interval(resampled_sharpes(returns[np.newaxis], block=9)[0])
    assert ours == pytest.approx(theirs[:, 0].tolist(), abs=0.1 * np.ptp(theirs))


@pytest.mark.slow
def test_the_excess_is_significant_when_it_is_there_and_seldom_when_it_is_not():
    random = np.random.default_rng(6)
    p_values = []
    for _ in range(60):
        both = random.normal(0, 0.01, (2, 250))
        sharpes = resampled_sharpes(both, block=6, resamples=150)
        excess = return_moments(both[0]).sharpe - return_moments(both[1]).sharpe
        p_values.append(excess_p_value(excess, sharpes[0] - sharpes[1]))
    assert np.mean(np.array(p_values) < 0.05) < 0.12
    assert 0.35 < np.median(p_values) < 0.65
    market = random.normal(0, 0.01, 1000)
    evidence = sharpe_evidence(curve(market + 0.002), curve(market), [3.0])["strategy"]
    assert evidence["excess_sharpe"] > 2
    assert evidence["excess_sharpe_p_value"] < 0.01


@pytest.mark.slow
def test_no_excess_over_itself():
    benchmark = curve(np.random.default_rng(7).normal(0.001, 0.01, 300))
    evidence = sharpe_evidence(benchmark, benchmark, [1.0])
    assert (evidence["strategy"]["excess_sharpe"], evidence["strategy"]["excess_sharpe_p_value"]) == (0, 1)
    assert evidence["strategy"]["sharpe_low"] == evidence["buy_and_hold"]["sharpe_low"]


@pytest.mark.slow
def test_evidence_is_annual_repeatable_and_deflated_by_the_trials():
    benchmark, own = (curve(np.random.default_rng(seed).normal(0.0008, 0.01, 600)) for seed in (8, 9))
    alone, among = sharpe_evidence(own, benchmark, [1.3]), sharpe_evidence(own, benchmark, [1.3, 0.2, -0.4])
    first = alone["strategy"]
    assert sharpe_evidence(own, benchmark, [1.3]) == alone
    sharpe = return_moments(own[1:] / own[:-1] - 1).sharpe * 252**0.5
    assert first["sharpe_low"] < sharpe < first["sharpe_high"]
    assert first["sharpe_high"] - first["sharpe_low"] == pytest.approx(2 * 1.645 * (252 / 600) ** 0.5, rel=0.2)
    assert (first["trials"], first["deflated_sharpe"]) == (1, first["psr"])
    assert (among["strategy"]["trials"], among["strategy"]["psr"]) == (3, first["psr"])
    moments = return_moments(own[1:] / own[:-1] - 1)
    deflated_ratio = deflated_sharpe(moments, 3, np.var([1.3, 0.2, -0.4], ddof=1) / 252)
    assert among["strategy"]["deflated_sharpe"] == pytest.approx(deflated_ratio)


@pytest.mark.parametrize("sessions", [1, 2, 50])
def test_an_account_that_never_traded_has_no_evidence(sessions):
    benchmark = curve(np.random.default_rng(0).normal(0, 0.01, sessions - 1))
    evidence = sharpe_evidence(np.full(sessions, 100.0), benchmark, [])
    own = evidence["strategy"]
    assert own.pop("trials") == 0
    assert set(own.values()) == {None}
    assert (evidence["buy_and_hold"]["psr"] is None) == (sessions < 3)
    json.dumps(evidence, allow_nan=False)


@pytest.mark.slow
def test_a_handful_of_days_in_the_market_has_no_interval():
    returns = np.zeros(2000)
    returns[700:704] = 0.01, -0.02, 0.03, 0.01
    own = sharpe_evidence(curve(returns), curve(returns), [0.5])["strategy"]
    assert (own["sharpe_low"], own["sharpe_high"], own["excess_sharpe_p_value"]) == (None, None, None)
    assert 0.5 < own["psr"] < 1
