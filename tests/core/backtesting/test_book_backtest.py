import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from tests.core.portfolio.universe import drawn_returns
from zenith_core.backtesting import book_backtest
from zenith_core.backtesting.book_backtest import backtest_books, inverse_volatility, least_variance, minimum_variance

NO_COST = np.zeros(4)


@pytest.fixture(autouse=True)
def few_sessions(monkeypatch):
    monkeypatch.setattr(book_backtest, "FIRST", 60)


def prices(rows=160, tickers=4):
    index = pd.bdate_range(end="2024-06-28", periods=rows)
    closes = pd.DataFrame(100 * np.exp(drawn_returns(rows, tickers).cumsum(axis=0)), index)
    return closes.shift(1).fillna(100.0), closes  # the open is the close before


def test_the_least_variance_is_that_of_a_general_optimizer():
    root = np.random.default_rng(1).standard_normal((8, 8))
    covariance = 1e-4 * (root @ root.T + 0.1 * np.eye(8))
    weights = least_variance(covariance)

    other = minimize(
        lambda w: 1e4 * w @ covariance @ w, np.full(8, 1 / 8), bounds=[(0, 1)] * 8, tol=1e-12,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )  # fmt: skip
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    assert 1e4 * weights @ covariance @ weights == pytest.approx(other.fun, abs=1e-6)
    np.testing.assert_allclose(weights, other.x, atol=1e-4)


def test_calm_tickers_weigh_more_and_one_that_stands_still_nothing():
    returns = drawn_returns(300, 4)
    returns[-60:, 1] = 0.0

    for method in (inverse_volatility, minimum_variance):
        weights = method(returns)
        assert weights.sum() == pytest.approx(1)
        assert weights[1] == 0
        assert weights[0] > weights[3] >= 0


def test_all_that_stands_still_is_held_equally():
    for method in (inverse_volatility, minimum_variance):
        np.testing.assert_array_equal(method(np.zeros((300, 2))), [0.5, 0.5])


@pytest.mark.slow
def test_without_costs_equal_weight_earns_the_mean_of_each_week():
    opens, closes = prices()
    result = backtest_books(opens, closes, NO_COST)

    equity = result.equity["equal_weight"]
    rows = [closes.index.get_loc(day) for day in equity.index]
    assert closes.index[rows[0]].day_of_week == 4
    week = slice(rows[0], rows[0] + 6)  # filled at the open of Monday, the close of Friday
    growth = closes.iloc[week].iloc[-1] / closes.iloc[week].iloc[0]
    assert equity.iloc[5] == pytest.approx(growth.mean())
    assert set(result.stats) == set(result.equity) == set(book_backtest.METHODS)


@pytest.mark.slow
def test_costs_are_paid_on_the_value_traded():
    opens, closes = prices()
    free, paid = (backtest_books(opens, closes, cost) for cost in (NO_COST, np.full(4, 0.01)))

    first = paid.equity.iloc[1] / free.equity.iloc[1]
    np.testing.assert_allclose(first, 0.99, atol=1e-12)
    stats = paid.stats["minimum_variance"]
    assert 1 < stats["turnover"] < 10  # of half a year
    assert stats["sharpe_low"] < stats["sharpe"] < stats["sharpe_high"]
    assert (stats["trials"], stats["max_drawdown"] < 0) == (3, True)
    assert 0 <= stats["deflated_sharpe"] <= 1


@pytest.mark.slow
def test_it_uses_nothing_later_than_the_close_of_the_decision():
    opens, closes = prices()
    cut = closes.index[-20]
    poisoned = closes.copy()
    poisoned.loc[cut:, 0] *= 3
    before = [backtest_books(opens, table, NO_COST).equity.loc[: closes.index[-21]] for table in (closes, poisoned)]

    pd.testing.assert_frame_equal(*before)


@pytest.mark.slow
def test_a_young_listing_joins_later_and_too_little_history_is_refused():
    opens, closes = prices()
    closes.iloc[:100, 3] = np.nan
    assert np.isfinite(backtest_books(opens, closes, NO_COST).equity.to_numpy()).all()

    with pytest.raises(ValueError, match="fewer than 2 tickers have 60 returns"):
        backtest_books(opens[:50], closes[:50], NO_COST)
