"""The backtest against trades worked out by hand and against the `backtesting` package."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from zenith_core.backtest import BacktestConfig, backtest, forecast_signals
from zenith_core.errors import NonFiniteInput, TooShortHistory

FREE = BacktestConfig(capital=1000, commission=0, slippage=0)


def make_prices(opens, closes=None, **columns):
    index = pd.bdate_range("2020-01-01", periods=len(opens), name="date")
    closes = opens if closes is None else closes
    return pd.DataFrame({"open": opens, "close": closes, **columns}, index=index, dtype=float)


def make_signals(prices, *names):
    return pd.Series(names, index=prices.index[: len(names)])


def random_market(sessions, seed):
    rng = np.random.default_rng(seed)
    close = 80 * np.exp(np.cumsum(rng.normal(0.0004, 0.02, sessions)))
    open_ = close * np.exp(rng.normal(0, 0.01, sessions))
    prices = make_prices(open_, close)
    prices["high"], prices["low"] = prices.max(axis=1) * 1.01, prices.min(axis=1) * 0.99
    prices["volume"] = 1e6
    signals = pd.Series(
        rng.choice(["buy", "hold", "sell"], sessions - 50, p=[0.15, 0.7, 0.15]), index=prices.index[50:]
    )
    return prices, signals


def test_a_signal_is_filled_at_the_next_open():
    prices = make_prices([10, 20, 30, 40], closes=[11, 22, 33, 44])
    result = backtest(prices, make_signals(prices, "buy", "hold", "sell"), FREE)
    (trade,) = result.trades.to_dict("records")
    assert (trade["entry_date"], trade["entry_price"]) == (prices.index[1], 20)
    assert (trade["exit_date"], trade["exit_price"]) == (prices.index[3], 40)
    assert (trade["quantity"], trade["costs"], trade["pnl"]) == (50, 0, 1000)
    assert result.equity["strategy"].tolist() == [1000, 1100, 1650, 2000]


def test_costs_are_taken_at_both_sides():
    prices = make_prices([100.0, 100.0, 100.0, 100.0])
    config = BacktestConfig(capital=1000, commission=0.01, slippage=0.02)
    result = backtest(prices, make_signals(prices, "buy", "sell"), config)
    (trade,) = result.trades.to_dict("records")
    assert (trade["entry_price"], trade["exit_price"]) == (102, 98)
    assert trade["quantity"] == pytest.approx(1000 / (102 * 1.01))
    assert result.equity["strategy"].iloc[-1] == pytest.approx(trade["quantity"] * 98 * 0.99)
    assert trade["pnl"] == pytest.approx(result.equity["strategy"].iloc[-1] - 1000)
    assert trade["costs"] == pytest.approx(-trade["pnl"])  # the price did not move: all that was lost is costs


def test_round_trip_cost_is_both_sides():
    assert BacktestConfig().round_trip_cost == pytest.approx(0.003)


def test_a_position_open_at_the_end_is_listed_and_marked_at_the_last_close():
    prices = make_prices([10, 10, 10], closes=[10, 10, 15])
    result = backtest(prices, make_signals(prices, "buy"), FREE)
    (trade,) = result.trades.to_dict("records")
    assert trade["exit_date"] is pd.NaT and np.isnan(trade["exit_price"])
    assert (trade["pnl"], result.equity["strategy"].iloc[-1]) == (500, 1500)
    assert (result.stats["strategy"]["trades"], result.stats["strategy"]["open_trades"]) == (0, 1)


def test_equity_starts_with_the_capital_at_the_first_signal():
    prices = make_prices([5, 6, 7, 8, 9])
    result = backtest(prices, pd.Series(["buy"], index=prices.index[2:3]))
    assert result.equity["date"].tolist() == prices.index[2:].tolist()
    assert result.equity.iloc[0, 1:].tolist() == [100_000, 100_000]


def test_a_signal_on_the_last_session_is_not_filled():
    prices = make_prices([5, 6, 7])
    result = backtest(prices, make_signals(prices, "hold", "hold", "buy"))
    assert result.trades.empty


@pytest.mark.parametrize("idle", ["flat", "carried"])
def test_nothing_is_filled_in_a_session_without_trade(idle):
    prices = make_prices([10, 10, 10, 20, 30], **{idle: [0, 1, 1, 0, 0]})
    result = backtest(prices, make_signals(prices, "buy"), FREE)
    assert result.trades["entry_date"].tolist() == [prices.index[3]]
    assert result.equity["buy_and_hold"].tolist() == [1000, 1000, 1000, 1000, 1500]


def test_the_newest_signal_counts_after_a_session_without_trade():
    prices = make_prices([10, 10, 10, 20, 30], flat=[0, 1, 1, 0, 0])
    assert backtest(prices, make_signals(prices, "buy", "hold", "sell")).trades.empty


def test_always_buy_is_buy_and_hold():
    prices, _ = random_market(300, seed=1)
    result = backtest(prices, pd.Series("buy", index=prices.index))
    assert result.stats["strategy"] == result.stats["buy_and_hold"]


def test_no_trade_gives_defined_statistics_that_json_can_hold():
    prices = make_prices(np.linspace(10, 20, 30))
    result = backtest(prices, pd.Series("hold", index=prices.index))
    own = result.stats["strategy"]
    json.dumps(result.stats, allow_nan=False)
    assert (own["total_return"], own["trades"], own["exposure"], own["turnover"]) == (0, 0, 0, 0)
    assert (own["sharpe"], own["hit_rate"], own["profit_factor"]) == (None, None, None)
    assert list(result.trades.columns) == [
        *("entry_date", "entry_price", "exit_date", "exit_price", "quantity", "costs", "pnl")
    ]


def test_trade_statistics():
    prices = make_prices([10, 10, 20, 20, 10, 10, 10, 10])
    result = backtest(prices, make_signals(prices, "buy", "sell", "buy", "sell"), FREE)
    own = result.stats["strategy"]
    assert result.trades["pnl"].tolist() == [1000, -1000]
    assert (own["trades"], own["hit_rate"], own["profit_factor"]) == (2, 0.5, 1)
    assert own["exposure"] == pytest.approx(2 / 7)
    value = 1000 + 2000 + 2000 + 1000
    assert own["turnover"] == pytest.approx(value / 7 * 252 / result.equity["strategy"].mean())


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_backtesting_py_on_the_same_signals_and_costs(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from backtesting import Strategy
        from backtesting.lib import FractionalBacktest
    prices, signals = random_market(700, seed)
    config = BacktestConfig()

    class FollowSignals(Strategy):
        def init(self):
            pass

        def next(self):
            signal = signals.get(self.data.index[-1])
            if signal == "buy" and not self.position:
                self.buy()
            elif signal == "sell" and self.position:
                self.position.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Its `spread` is charged on entry only; as one rate per side, slippage and commission differ by 2e-9 a trade.
        cost = config.commission + config.slippage
        data = prices.iloc[49:].rename(columns=str.title)  # it does not ask the strategy on its first session
        other = FractionalBacktest(data, FollowSignals, cash=config.capital, commission=cost).run()

    ours = backtest(prices, signals, config)
    closed = ours.trades[ours.trades["exit_date"].notna()]
    theirs = other["_trades"]
    assert len(closed) > 20
    assert closed["entry_date"].tolist() == theirs["EntryTime"].tolist()
    assert closed["exit_date"].tolist() == theirs["ExitTime"].tolist()
    np.testing.assert_allclose(closed["pnl"], theirs["PnL"], rtol=1e-4, atol=0.5)
    assert ours.equity["strategy"].iloc[-1] == pytest.approx(other["Equity Final [$]"], rel=1e-4)
    np.testing.assert_allclose(ours.equity["strategy"], other["_equity_curve"]["Equity"].iloc[1:], rtol=1e-4)


def test_no_signals_are_refused():
    with pytest.raises(TooShortHistory, match="no signals"):
        backtest(make_prices([1, 2]), pd.Series([], index=pd.DatetimeIndex([]), dtype=object))


def test_unknown_signals_and_dates_are_refused():
    prices = make_prices([1, 2, 3])
    with pytest.raises(ValueError, match="short"):
        backtest(prices, make_signals(prices, "short"))
    with pytest.raises(ValueError, match="sessions"):
        backtest(prices, pd.Series(["buy"], index=pd.DatetimeIndex(["2019-01-01"])))


def test_unusable_prices_are_refused():
    prices = make_prices([1, np.nan, 3])
    with pytest.raises(NonFiniteInput):
        backtest(prices, make_signals(prices, "buy"))


def test_forecasts_become_signals_beyond_the_threshold():
    origins = pd.bdate_range("2020-01-01", periods=3)
    rows = {"origin": origins.repeat(2), "horizon": [1, 5] * 3, "close": 100.0, "forecast": [0, 100.4, 0, 100.2, 0, 99]}
    signals = forecast_signals(pd.DataFrame(rows).iloc[::-1], horizon=5)
    assert signals.to_dict() == dict(zip(origins, ["buy", "hold", "sell"], strict=True))


def test_a_horizon_without_forecasts_is_refused_with_those_there_are():
    rows = pd.DataFrame({"origin": [pd.Timestamp("2020-01-01")], "horizon": [1], "close": [1.0], "forecast": [1.0]})
    with pytest.raises(ValueError, match=r"there are \[.*1"):
        forecast_signals(rows, horizon=5)
