"""Statistics of an equity curve, against figures worked out by hand."""

import math

import numpy as np
import pytest

from zenith_core.statistics.performance import (
    annual_return,
    calmar,
    drawdown,
    finite,
    max_drawdown,
    max_drawdown_sessions,
    performance,
    sharpe,
    sortino,
    total_return,
    volatility,
)

EQUITY = np.array([100.0, 110.0, 99.0, 99.0, 121.0])  # returns +10 %, -10 %, 0, +22.2 %


def test_returns_over_the_whole_and_a_year():
    assert total_return(EQUITY) == pytest.approx(0.21)
    assert annual_return(EQUITY) == pytest.approx(1.21 ** (252 / 4) - 1)


def test_risk_ratios_are_their_formulas():
    returns = np.array([0.1, -0.1, 0.0, 2 / 9])
    assert volatility(EQUITY) == pytest.approx(returns.std(ddof=1) * math.sqrt(252))
    assert sharpe(EQUITY) == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))
    assert sortino(EQUITY) == pytest.approx(returns.mean() / math.sqrt(0.01 / 4) * math.sqrt(252))
    assert calmar(EQUITY) == pytest.approx(annual_return(EQUITY) / 0.1)


def test_the_length_of_a_year_scales_what_is_annual():
    usual, daily = performance(EQUITY), performance(EQUITY, 365)
    for name in ("volatility", "sharpe", "sortino"):
        assert daily[name] == pytest.approx(usual[name] * math.sqrt(365 / 252))
    assert daily["annual_return"] == pytest.approx(1.21 ** (365 / 4) - 1)
    assert daily["max_drawdown"] == usual["max_drawdown"]


def test_drawdown_is_measured_from_the_highest_value_so_far():
    assert drawdown(EQUITY).tolist() == pytest.approx([0, 0, -0.1, -0.1, 0])
    assert max_drawdown(EQUITY) == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("equity", "sessions"),
    [([1, 2, 3], 0), ([3, 2, 1, 4], 2), ([3, 2, 3, 2, 2, 2], 3), ([5, 6, 5, 5, 5, 6, 5], 3), ([1], 0)],
)
def test_drawdown_length_counts_sessions_below_the_peak_recovered_or_not(equity, sessions):
    assert max_drawdown_sessions(np.array(equity, dtype=float)) == sessions


@pytest.mark.parametrize("equity", [[100.0], [100.0, 100.0], [100.0, 100.0, 100.0]])
def test_a_curve_without_movement_has_no_ratios(equity):
    result = performance(np.array(equity))
    assert [result[name] for name in ("sharpe", "sortino", "calmar")] == [None, None, None]
    assert (result["total_return"], result["max_drawdown"], result["max_drawdown_sessions"]) == (0, 0, 0)


def test_a_steady_rise_has_no_sortino_and_no_calmar():
    result = performance(100 * 1.001 ** np.arange(50))
    assert (result["sharpe"], result["sortino"], result["calmar"]) == (None, None, None)
    assert result["annual_return"] == pytest.approx(1.001**252 - 1)


def test_an_account_that_has_lost_everything_has_defined_statistics():
    result = performance(np.array([100.0, 110.0, 0.0, 0.0]))
    assert (result["total_return"], result["annual_return"], result["max_drawdown"]) == (-1, -1, -1)
    assert (result["calmar"], result["max_drawdown_sessions"]) == (-1, 2)
    assert result["sharpe"] == pytest.approx(np.mean([0.1, -1, 0]) / np.std([0.1, -1, 0], ddof=1) * math.sqrt(252))


def test_only_finite_values_pass():
    assert [finite(value) for value in (1.5, math.nan, math.inf, np.float64(2))] == [1.5, None, None, 2.0]
