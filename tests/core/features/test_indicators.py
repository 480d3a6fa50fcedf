"""The indicators against formulas written out here, also on awkward prices."""

import numpy as np
import pytest

from tests.core.markets import random_prices
from zenith_core.errors import InvalidPrices, NonFiniteInput
from zenith_core.features.indicators import INDICATORS, indicators


def make_prices(sessions=600, seed=7):
    return random_prices(sessions, seed)


def wilder(values, window):
    """Wilder's average: the mean of the first `window` values, then 1/window of each new one."""
    result = np.full(len(values), np.nan)
    first = int(np.flatnonzero(np.isfinite(values))[0]) + window - 1
    result[first] = values[first - window + 1 : first + 1].mean()
    for row in range(first + 1, len(values)):
        result[row] = result[row - 1] + (values[row] - result[row - 1]) / window
    return result


def ema(values, window):
    result = values.copy()
    for row in range(1, len(values)):
        result[row] = result[row - 1] + 2 / (window + 1) * (values[row] - result[row - 1])
    return result


def true_range(prices):
    before = prices.close.shift().to_numpy()
    high, low = prices.high.to_numpy(), prices.low.to_numpy()
    return np.maximum(high, before) - np.minimum(low, before)


def expected_rsi(prices):
    change = np.diff(prices.close.to_numpy(), prepend=np.nan)
    up = wilder(np.where(np.isnan(change), np.nan, np.maximum(change, 0)), 14)
    down = wilder(np.where(np.isnan(change), np.nan, np.maximum(-change, 0)), 14)
    return 100 * up / (up + down)


def expected_macd_hist(prices):
    close = prices.close.to_numpy()
    macd = ema(close, 12) - ema(close, 26)
    return macd - ema(macd, 9)


def expected_bb_upper(prices):
    close = prices.close.to_numpy()
    windows = np.lib.stride_tricks.sliding_window_view(close, 20)
    return np.concatenate([np.full(19, np.nan), windows.mean(axis=1) + 2 * windows.std(axis=1)])


def expected_stoch_k(prices):
    low = np.lib.stride_tricks.sliding_window_view(prices.low.to_numpy(), 14).min(axis=1)
    high = np.lib.stride_tricks.sliding_window_view(prices.high.to_numpy(), 14).max(axis=1)
    return np.concatenate([np.full(13, np.nan), 100 * (prices.close.to_numpy()[13:] - low) / (high - low)])


def expected_cci(prices):
    typical = ((prices.high + prices.low + prices.close) / 3).to_numpy()
    windows = np.lib.stride_tricks.sliding_window_view(typical, 20)
    mean = windows.mean(axis=1)
    deviation = np.abs(windows - mean[:, None]).mean(axis=1)
    return np.concatenate([np.full(19, np.nan), (typical[19:] - mean) / (0.015 * deviation)])


def expected_adx(prices):
    up = prices.high.diff().to_numpy()
    down = -prices.low.diff().to_numpy()
    plus = np.where(np.isnan(up), np.nan, np.where((up > down) & (up > 0), up, 0))
    minus = np.where(np.isnan(up), np.nan, np.where((down > up) & (down > 0), down, 0))
    plus_di, minus_di = wilder(plus, 14), wilder(minus, 14)  # over the same true range, which cancels
    return wilder(100 * np.abs(plus_di - minus_di) / (plus_di + minus_di), 14)


FORMULAS = {
    "rsi_14": expected_rsi,
    "macd_hist": expected_macd_hist,
    "bb_upper": expected_bb_upper,
    "stoch_k": expected_stoch_k,
    "atr_14": lambda prices: wilder(true_range(prices), 14),
    "cci_20": expected_cci,
    "adx_14": expected_adx,
    "sma_50": lambda prices: np.convolve(prices.close.to_numpy(), np.ones(50) / 50)[: len(prices)],
    "ema_20": lambda prices: ema(prices.close.to_numpy(), 20),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_indicator_equals_its_formula_after_warm_up(name):
    prices = make_prices()
    np.testing.assert_allclose(indicators(prices)[name].iloc[400:], FORMULAS[name](prices)[400:], rtol=1e-7)


def test_obv_adds_and_subtracts_volume_and_ignores_unchanged_closes():
    prices = make_prices(6)
    prices["close"] = [10.0, 11.0, 11.0, 10.5, 10.5, 12.0]
    prices["high"], prices["low"] = 13.0, 9.0
    prices["volume"] = [100.0, 20.0, 999.0, 5.0, 999.0, 7.0]
    assert indicators(prices)["obv"].tolist() == [100, 120, 120, 115, 115, 122]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        *[("rsi_14", 13), ("macd_hist", 33), ("bb_lower", 19), ("sma_200", 199), ("ema_200", 199), ("stoch_d", 15)],
        *[("atr_14", 13), ("obv", 0), ("adx_14", 27), ("cci_20", 19)],
    ],
)
def test_indicator_is_nan_before_its_window_is_full_and_finite_after(name, first):
    column = indicators(make_prices(230))[name]
    assert column.iloc[:first].isna().all()
    assert np.isfinite(column.iloc[first:]).all()


@pytest.mark.parametrize("sessions", [0, 1, 13, 14, 27, 28])
def test_a_short_history_gives_nan_and_no_error(sessions):
    result = indicators(make_prices(40).iloc[:sessions])
    assert result.shape == (sessions, len(INDICATORS))
    assert result["sma_200"].isna().all()


def test_constant_prices_give_nan_where_the_formula_is_zero_over_zero_and_never_infinity():
    prices = make_prices(100)
    prices[["open", "high", "low", "close"]] = 10.1
    prices["volume"] = 0.0
    result = indicators(prices)
    assert not np.isinf(result.to_numpy()).any()
    assert result[["stoch_k", "cci_20"]].isna().all().all()
    assert result.iloc[-1][["atr_14", "adx_14", "obv"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("column", "value"), [("close", np.nan), ("open", np.inf), ("low", 0), ("high", -1), ("volume", np.nan)]
)
def test_unusable_values_are_refused_with_their_date(column, value):
    prices = make_prices(50)
    prices.loc[prices.index[20], column] = value
    with pytest.raises(NonFiniteInput, match=r"1 row .* 2015-01-29"):
        indicators(prices)


def test_a_missing_column_is_named():
    with pytest.raises(InvalidPrices, match="no column volume"):
        indicators(make_prices(50).drop(columns="volume"))
