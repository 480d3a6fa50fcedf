"""The statistics of an equity curve against quantstats.

Where the definitions agree: total and annual return, volatility, Sharpe, Sortino, Calmar, drawdown, the probabilistic
Sharpe ratio. Where they do not:
- hit rate and profit factor: quantstats counts days, we count trades, as a trader does;
- the length of a drawdown: quantstats counts calendar days from the first day below the peak, we count sessions;
- the probabilistic Sharpe ratio: quantstats divides by n - 1 in the moments, the paper and we by n: equal to 0.001;
- what is undefined: quantstats answers NaN, 0 or infinity, we answer None.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

from zenith_core.backtesting.backtest import BacktestConfig, backtest
from zenith_core.statistics.performance import performance
from zenith_core.statistics.sharpe import probabilistic_sharpe, return_moments
from zenith_pipelines.ingestion.sources.sample import SampleSource

pytestmark = pytest.mark.slow  # the import of quantstats


@pytest.fixture(scope="module")
def statistics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats

        yield quantstats.stats


def random_curve(seed):
    returns = np.random.default_rng(seed).standard_t(4, 900) * 0.012 + 0.0004
    return 1e5 * np.cumprod(np.append(1.0, 1 + returns))


def traded_curve(ticker):
    """A strategy that is in and out of the market: many days without any return."""
    table = SampleSource().fetch(ticker).prices
    prices = (table[["open", "close"]].mul(table["adj_close"] / table["close"], axis=0)).dropna()
    signals = np.random.default_rng(1).choice(["buy", "hold", "sell"], len(prices), p=[0.05, 0.85, 0.1])
    result = backtest(prices, pd.Series(signals, index=prices.index), BacktestConfig(allow_short=ticker == "MSFT"))
    return result.equity["strategy"].to_numpy()


@pytest.mark.parametrize("curve", [0, 1, 2, "AAPL", "IBM", "MSFT"])
def test_statistics_agree_with_quantstats(statistics, curve):
    equity = traded_curve(curve) if isinstance(curve, str) else random_curve(curve)
    index = pd.bdate_range("2001-01-02", periods=len(equity) - 1)
    returns = pd.Series(equity[1:] / equity[:-1] - 1, index=index)
    ours = performance(equity)

    theirs = {
        "total_return": statistics.comp(returns),
        "annual_return": statistics.cagr(returns),
        "volatility": statistics.volatility(returns),
        "sharpe": statistics.sharpe(returns),
        "sortino": statistics.sortino(returns),
        "calmar": statistics.calmar(returns),
        "max_drawdown": statistics.max_drawdown(returns),
    }
    assert {key: ours[key] for key in theirs} == pytest.approx(theirs, rel=1e-9)
    chance = statistics.probabilistic_sharpe_ratio(returns)
    assert probabilistic_sharpe(return_moments(returns.to_numpy())) == pytest.approx(chance, abs=1e-3)
