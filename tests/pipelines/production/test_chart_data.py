"""Chart data: the right rows, as JSON-ready values."""

import json

import numpy as np
import pandas as pd
import pytest

from zenith_pipelines.production.chart_data import (
    OVERLAYS,
    POINTS,
    SESSIONS,
    candles,
    equity_curve,
    overlays,
    past_forecasts,
    past_signals,
)


def sessions(count):
    return pd.bdate_range("2020-01-01", periods=count, name="date")


def test_candles_are_the_last_sessions_in_order():
    close = np.arange(1.0, 1 + SESSIONS + 3)
    prices = pd.DataFrame({"open": close, "high": close + 1, "low": close - 0.5, "close": close, "volume": 7.0})
    prices.index = sessions(len(close))

    columns = candles(prices)

    assert list(columns) == ["date", "open", "high", "low", "close", "volume"]
    assert {len(column) for column in columns.values()} == {SESSIONS}
    assert (columns["date"][-1], columns["high"][-1]) == (prices.index[-1].date().isoformat(), close[-1] + 1)
    assert columns["close"][0] == 4.0


def test_prices_keep_six_digits_and_are_plain_json():
    prices = pd.DataFrame({name: [0.0012345678, 123456.789] for name in ("open", "high", "low", "close", "volume")})
    prices.index = sessions(2)

    assert json.loads(json.dumps(candles(prices)))["close"] == [0.00123457, 123457.0]


def test_overlays_are_columns_of_the_feature_table_with_nothing_in_the_warm_up():
    table = pd.DataFrame({name: [float("nan"), 2.0] for name in (*OVERLAYS, "macd")}, index=sessions(2))

    columns = overlays(table)

    assert list(columns) == ["date", *OVERLAYS]
    assert columns["sma_200"] == [None, 2.0]


def test_past_signals_are_those_to_buy_or_sell():
    signals = pd.Series(["buy", "hold", "sell"], index=sessions(3))

    assert past_signals(signals) == {"date": ["2020-01-01", "2020-01-03"], "signal": ["buy", "sell"]}


def test_past_forecasts_are_the_matured_ones_at_the_headline_horizon():
    days = sessions(10)
    rows = [
        {"origin": days[n], "horizon": horizon, "target_date": days[n + horizon], "close": 10.0 + n}
        | {"forecast": 11.0, "lower": 9.0, "upper": 12.0, "actual": actual, "q50": 1.0}
        for n, actual in ((0, 11.5), (1, float("nan")), (2, 12.5))
        for horizon in (1, 5)
    ]

    assert past_forecasts(pd.DataFrame(rows), 5) == {
        "origin": ["2020-01-01", "2020-01-03"],
        "target_date": [days[5].date().isoformat(), days[7].date().isoformat()],
        "close": [10.0, 12.0],
        "forecast": [11.0, 11.0],
        "lower": [9.0, 9.0],
        "upper": [12.0, 12.0],
        "actual": [11.5, 12.5],
    }


@pytest.mark.parametrize("count", [1, 3, POINTS + 1, 3 * POINTS])
def test_an_equity_curve_starts_at_one_and_ends_with_the_backtest(count):
    strategy = np.linspace(100.0, 250.0, count)
    table = pd.DataFrame({"date": sessions(count), "strategy": strategy, "buy_and_hold": 50.0})

    columns = equity_curve(table)

    assert len(columns["date"]) == len(set(columns["date"])) == min(count, POINTS)
    assert (columns["date"][0], columns["date"][-1]) == tuple(sessions(count)[[0, -1]].strftime("%Y-%m-%d"))
    assert columns["strategy"][0] == 1.0
    assert columns["strategy"][-1] == strategy[-1] / 100
    assert set(columns["buy_and_hold"]) == {1.0}
