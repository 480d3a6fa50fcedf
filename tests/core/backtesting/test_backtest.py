"""The backtest against trades worked out by hand; against the `backtesting` package: `test_backtest_agreement`."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from zenith_core.backtesting.backtest import BacktestConfig, backtest, forecast_signals
from zenith_core.errors import NonFiniteInput, TooShortHistory, UserError
from zenith_core.features.model_features import ewma_volatility
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices.cleaning import clean_prices

FREE = BacktestConfig(capital=1000, commission=0, slippage=0)
SHORT = replace(FREE, allow_short=True)


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
    assert trade["costs"] == pytest.approx(-trade["pnl"])  # the price did not move: the loss is the costs


def test_a_short_gains_as_the_price_falls():
    prices = make_prices([10, 20, 15, 10], closes=[10, 18, 12, 10])
    result = backtest(prices, make_signals(prices, "sell", "hold"), SHORT)
    (trade,) = result.trades.to_dict("records")
    assert (trade["entry_date"], trade["entry_price"], trade["quantity"]) == (prices.index[1], 20, -50)
    assert (trade["pnl"], result.stats["strategy"]["open_trades"]) == (500, 1)
    assert result.equity["strategy"].tolist() == [1000, 1100, 1400, 1500]


def test_long_turns_to_short_at_one_open_with_the_whole_capital_each_time():
    prices = make_prices([10, 10, 20, 10, 10])
    result = backtest(prices, make_signals(prices, "buy", "sell", "buy"), SHORT)
    assert result.trades["quantity"].tolist() == [100, -100, 300]
    assert result.trades["exit_date"].tolist()[:2] == result.trades["entry_date"].tolist()[1:]
    assert result.equity["strategy"].tolist() == [1000, 1000, 2000, 3000, 3000]
    assert result.stats["strategy"]["exposure"] == 1


def test_a_short_pays_costs_at_both_sides():
    prices = make_prices([100.0, 100.0, 100.0, 100.0])
    config = BacktestConfig(capital=1000, commission=0.01, slippage=0.02, allow_short=True)
    result = backtest(prices, make_signals(prices, "sell", "buy"), config)
    trade = result.trades.iloc[0]
    assert (trade["entry_price"], trade["exit_price"]) == (98, 102)
    assert trade["quantity"] == pytest.approx(-1000 / (102 * 1.01))  # as many shares as the capital would buy
    assert trade["pnl"] == pytest.approx(trade["quantity"] * (102 * 1.01 - 98 * 0.99))
    assert trade["costs"] == pytest.approx(-trade["pnl"])


def test_a_short_that_loses_everything_at_the_open_ends_the_account():
    prices = make_prices([10, 10, 30, 30, 30], closes=[10, 10, 30, 60, 90])
    result = backtest(prices, make_signals(prices, "sell", "buy"), SHORT)
    own = result.stats["strategy"]
    assert result.equity["strategy"].tolist() == [1000, 1000, 0, 0, 0]
    assert result.trades["exit_date"].tolist() == [prices.index[2]]  # and an empty account buys nothing
    assert (own["total_return"], own["max_drawdown"], own["break_even_cost"]) == (-1, -1, None)
    json.dumps(result.stats, allow_nan=False)


def test_a_short_that_has_lost_everything_by_the_close_is_left_at_the_next_open():
    prices = make_prices([10, 10, 10, 15, 10, 10], closes=[10, 10, 25, 15, 10, 20])
    result = backtest(prices, make_signals(prices, "sell", "hold", "hold", "buy"), SHORT)
    assert result.trades[["exit_date", "exit_price"]].to_numpy().tolist() == [[prices.index[3], 15]]
    assert result.equity["strategy"].tolist() == [1000, 1000, 0, 0, 0, 0]


def dividend_market():
    """A quiet market whose price falls by a dividend of 5 on session 40, cleaned, beside the raw table."""
    sessions = sessions_between(exchange_of("TEST"), date(2020, 1, 1), date(2020, 6, 30))
    close = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.004, len(sessions))))
    close[40:] *= 1 - 5 / close[39]
    raw = pd.DataFrame({"open": close, "high": close * 1.001, "low": close / 1.001, "close": close}, index=sessions)
    raw = raw.assign(volume=1e6, splits=0.0, dividends=np.where(np.arange(len(raw)) == 40, 5.0, 0.0))
    return raw, clean_prices(raw, "TEST", now=datetime(2021, 1, 1, tzinfo=UTC)).prices


def test_a_long_position_receives_the_dividend():
    raw, prices = dividend_market()
    end = backtest(prices, make_signals(prices, "buy"), FREE).equity["strategy"].iloc[-1] / 1000
    close = raw["close"].to_numpy()
    before, after = close[39] / close[1], close[-1] / close[39]
    with_dividend = before * after * close[39] / (close[39] - 5)  # shares bought for the dividend at 5 below the close
    assert end == pytest.approx(with_dividend)
    assert end - before * after > 0.04


def test_a_short_position_pays_the_dividend():
    raw, prices = dividend_market()
    end = backtest(prices, make_signals(prices, "sell"), SHORT).equity["strategy"].iloc[-1] / 1000
    long_end = backtest(prices, make_signals(prices, "buy"), FREE).equity["strategy"].iloc[-1] / 1000
    price_factor = raw["close"].iloc[-1] / raw["close"].iloc[1]
    assert end == pytest.approx(2 - long_end)
    assert end < 2 - price_factor - 0.04  # the gain from the fall of the price alone


def test_a_position_is_as_large_as_the_volatility_at_the_close_before_allows():
    prices, _ = random_market(200, seed=5)
    config = replace(FREE, target_volatility=0.1)
    signals = pd.Series(["buy", "sell", "buy"], index=prices.index[[60, 90, 120]])
    trades = backtest(prices, signals, config).trades
    amount = trades["quantity"] * trades["entry_price"] / (1000 + trades["pnl"].cumsum().shift(fill_value=0))
    volatility = ewma_volatility(prices["close"]).iloc[[60, 120]] * 252**0.5
    assert amount.tolist() == pytest.approx((0.1 / volatility).tolist())
    assert (amount < 0.5).all()


@pytest.mark.parametrize(
    ("signals", "position"),
    [
        ("buy hold hold hold hold", [0, 1, 1, 0, 0]),
        ("buy buy hold hold hold", [0, 1, 1, 1, 0]),
        ("hold buy sell hold hold", [0, 0, 1, -1, -1]),
        ("buy", [0, 1, 1, 0, 0]),
    ],
)
def test_a_position_ends_with_its_holding_period_unless_the_signal_is_renewed(signals, position):
    prices = make_prices([1.0, 2.0, 4.0, 8.0, 16.0], closes=[1.5, 3.0, 6.0, 12.0, 24.0])
    result = backtest(prices, make_signals(prices, *signals.split()), replace(SHORT, holding_period=2))
    within = {}
    for trade in result.trades.to_dict("records"):
        last = prices.index[-1] + pd.Timedelta(days=1) if pd.isna(trade["exit_date"]) else trade["exit_date"]
        within |= {day: np.sign(trade["quantity"]) for day in prices.index if trade["entry_date"] <= day < last}
    assert [within.get(day, 0) for day in prices.index] == position


def test_without_trades_in_a_session_the_end_of_a_position_waits():
    prices = make_prices([1.0, 2.0, 4.0, 8.0], flat=[0, 0, 1, 0])
    result = backtest(prices, make_signals(prices, "buy"), replace(FREE, holding_period=1))
    assert result.trades["exit_date"].tolist() == [prices.index[3]]


def test_a_calm_stock_gets_the_whole_capital_and_never_more():
    prices, signals = random_market(200, seed=5)
    calm = backtest(prices, signals, replace(FREE, target_volatility=9.0))
    assert calm.trades.equals(backtest(prices, signals, FREE).trades)


def test_nothing_is_entered_before_the_volatility_is_known():
    prices, _ = random_market(60, seed=5)
    trades = backtest(prices, make_signals(prices, "buy"), replace(FREE, target_volatility=0.1)).trades
    assert trades["entry_date"].tolist() == [prices.index[ewma_volatility(prices["close"]).notna().argmax() + 1]]


def test_buy_and_hold_is_whole_and_long_however_the_signals_are_traded():
    prices, signals = random_market(200, seed=6)
    other = backtest(prices, signals, BacktestConfig(allow_short=True, target_volatility=0.05, holding_period=2))
    assert other.stats["buy_and_hold"] == backtest(prices, signals).stats["buy_and_hold"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"commission": -0.1}, "commission -0.1 must be a fraction"),
        ({"slippage": 1.0}, "slippage 1.0 must be a fraction"),
        ({"commission": float("nan")}, "commission nan must be a fraction"),
        ({"capital": 0.0}, "capital 0.0 must be a number above 0"),
        ({"target_volatility": float("inf")}, "target_volatility inf must be a number above 0"),
        ({"holding_period": 0}, "holding_period 0 must be at least 1 session"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(UserError, match=f"^{message}"):
        BacktestConfig(**wrong)


def test_at_the_break_even_cost_nothing_is_won_or_lost():
    prices, _ = random_market(400, seed=2)
    foresight = prices["close"].shift(-5) > prices["close"]
    signals = pd.Series(np.where(foresight, "buy", "sell"), index=prices.index)
    for config in (BacktestConfig(), BacktestConfig(allow_short=True, target_volatility=0.2)):
        cost = backtest(prices, signals, config).stats["strategy"]["break_even_cost"]
        assert 0 < cost < 0.1
        there = backtest(prices, signals, replace(config, commission=cost, slippage=0.0))
        assert there.equity["strategy"].iloc[-1] == pytest.approx(100_000)


def test_break_even_by_hand():
    prices = make_prices([10, 10, 11, 11])
    cost = backtest(prices, make_signals(prices, "buy", "sell")).stats["strategy"]["break_even_cost"]
    assert cost == pytest.approx(0.1 / 2.1)  # 11 (1 - c) = 10 (1 + c)


@pytest.mark.parametrize("opens", [[10, 10, 9, 9], [10, 10, 10, 10]])
def test_trades_without_a_gross_gain_have_no_break_even_cost(opens):
    prices = make_prices(opens)
    assert backtest(prices, make_signals(prices, "buy", "sell")).stats["strategy"]["break_even_cost"] is None


def test_constant_prices_lose_the_costs_and_no_more():
    prices = make_prices([100.0] * 30)
    own = backtest(prices, make_signals(prices, "buy", "sell")).stats["strategy"]
    assert own["total_return"] == pytest.approx(0.9995 * 0.999 / (1.0005 * 1.001) - 1)
    assert (own["hit_rate"], own["profit_factor"]) == (0, 0)


def test_one_session_gives_defined_statistics():
    prices = make_prices([100.0])
    result = backtest(prices, make_signals(prices, "buy"))
    own = result.stats["strategy"]
    assert (own["sessions"], own["total_return"], own["trades"], own["exposure"]) == (1, 0, 0, None)
    json.dumps(result.stats, allow_nan=False)


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
    assert [own[key] for key in ("sharpe", "hit_rate", "profit_factor", "break_even_cost")] == [None] * 4
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


@pytest.mark.parametrize("flag", ["suspect", "open_filled"])
def test_nothing_is_filled_at_a_suspect_price_or_an_open_that_nobody_quoted(flag):
    prices = make_prices([10, 99, 12, 13], **{flag: [0, 1, 0, 0]})
    (trade,) = backtest(prices, make_signals(prices, "buy"), FREE).trades.to_dict("records")
    assert (trade["entry_date"], trade["entry_price"]) == (prices.index[2], 12)


def test_an_account_is_not_valued_at_a_suspect_close():
    right = make_prices([10, 10, 11, 12, 13])
    wrong = right.assign(close=[10.0, 10, 33, 12, 13], suspect=[False, False, True, False, False])
    equity, result = (backtest(prices, make_signals(prices, "buy"), FREE) for prices in (right, wrong))
    assert result.equity["strategy"].tolist() == [1000, 1000, 1000, 1200, 1300]  # as at the close before
    assert result.equity["buy_and_hold"].tolist() == result.equity["strategy"].tolist()
    pd.testing.assert_frame_equal(result.trades, equity.trades)
