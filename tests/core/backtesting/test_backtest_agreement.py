"""The backtest against the `backtesting` package: the same trades and equity from the same signals and costs."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

from zenith_core.backtesting.backtest import BacktestConfig, backtest
from zenith_core.prices.cleaning import clean_prices
from zenith_pipelines.ingestion.sources.sample import SampleSource

pytestmark = pytest.mark.slow  # imports backtesting

CHANGES = [0.08, 0.84, 0.08]  # of buy, hold and sell


def random_prices(seed):
    rng = np.random.default_rng(seed)
    close = 80 * np.exp(np.cumsum(rng.normal(0.0004, 0.02, 700)))
    prices = pd.DataFrame({"open": close * np.exp(rng.normal(0, 0.01, 700)), "close": close})
    prices.index = pd.bdate_range("2020-01-01", periods=700, name="date")
    return prices.assign(high=prices.max(axis=1) * 1.01, low=prices.min(axis=1) * 0.99, volume=1e6)


@cache
def real_prices(ticker):
    prices = clean_prices(SampleSource().fetch(ticker).prices, ticker).prices
    return prices[["open", "high", "low", "close", "volume"]].iloc[-1200:]


def theirs(prices, signals, config):
    with warnings.catch_warnings():  # here, because it imports for seconds
        warnings.simplefilter("ignore")
        from backtesting import Strategy
        from backtesting.lib import FractionalBacktest

    class FollowSignals(Strategy):
        def init(self):
            pass

        def next(self):
            signal = signals.get(self.data.index[-1])
            if signal == "buy" and not self.position.is_long:
                self.position.close()
                self.buy()
            elif signal == "sell" and not self.position.is_short:
                self.position.close()
                if config.allow_short:
                    self.sell()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Its `spread` is charged on entry only; as one rate per side, slippage and commission differ by 5e-7 a fill.
        cost = config.commission + config.slippage
        data = prices.iloc[49:].rename(columns=str.title)  # it does not call the strategy on its first session
        return FractionalBacktest(data, FollowSignals, cash=config.capital, commission=cost).run()


@pytest.mark.parametrize("allow_short", [False, True], ids=["long/flat", "long/short"])
@pytest.mark.parametrize("market", [0, 1, 2, 3, "AAPL", "IBM"])
def test_the_same_trades_and_the_same_equity(market, allow_short):
    prices = real_prices(market) if isinstance(market, str) else random_prices(market)
    choices = np.random.default_rng(sum(str(market).encode())).choice(
        ["buy", "hold", "sell"], len(prices) - 50, p=CHANGES
    )
    signals = pd.Series(choices, index=prices.index[50:])
    config = BacktestConfig(allow_short=allow_short)

    ours, other = backtest(prices, signals, config), theirs(prices, signals, config)

    closed_trades, trades = ours.trades[ours.trades["exit_date"].notna()], other["_trades"]
    assert len(closed_trades) > 20
    assert (closed_trades["quantity"] < 0).any() == allow_short
    assert closed_trades["entry_date"].tolist() == trades["EntryTime"].tolist()
    assert closed_trades["exit_date"].tolist() == trades["ExitTime"].tolist()
    np.testing.assert_allclose(closed_trades["quantity"], trades["Size"], rtol=1e-4)
    np.testing.assert_allclose(closed_trades["pnl"], trades["PnL"], rtol=1e-4, atol=0.5)
    assert ours.equity["strategy"].iloc[-1] == pytest.approx(other["Equity Final [$]"], rel=1e-4)
    np.testing.assert_allclose(ours.equity["strategy"], other["_equity_curve"]["Equity"].iloc[1:], rtol=1e-4)
