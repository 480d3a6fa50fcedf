"""The nine technical indicators, by the `ta` library where it is causal.

Every value uses only rows up to its own. Rows before an indicator is defined are NaN, never 0 or filled, so
`fillna=True` of `ta` is not used. Where `ta` loops in Python (ATR, ADX, CCI) the same formulas are computed here on
whole arrays, for speed (benchmarks/features.py); tests compare them with `ta`.
EMA, MACD, RSI, ATR and ADX are recursive: they forget the start of the history at the rate of their window.
ATR and ADX are made of Wilder's averages: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
OBV is a running sum from the first row, so only its changes have a meaning.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.errors import InvalidPrices, NonFiniteInput
from zenith_core.words import counted

PRICES = ("open", "high", "low", "close")
AVERAGES = (5, 10, 20, 50, 100, 200)  # sessions, of both SMA and EMA
INDICATORS = (
    "rsi_14",
    *("macd", "macd_signal", "macd_hist"),
    *("bb_lower", "bb_middle", "bb_upper"),
    *(f"sma_{window}" for window in AVERAGES),
    *(f"ema_{window}" for window in AVERAGES),
    *("stoch_k", "stoch_d"),
    "atr_14",
    "obv",
    "adx_14",
    "cci_20",
)


def indicators(prices: pd.DataFrame) -> pd.DataFrame:
    """Return the columns INDICATORS on the index of `prices` (open, high, low, close, volume; one row per session).

    RSI, stochastic and ADX are within 0 to 100; MACD, bands, averages and ATR are in currency; OBV in shares.
    A history shorter than an indicator's window gives NaN. A window without any movement makes the stochastic
    and CCI 0/0: NaN; RSI is then 100, as in `ta`.
    Raises InvalidPrices for a missing column, NonFiniteInput for NaN, infinity, a price <= 0 or a volume < 0.
    """
    check_prices(prices)
    # RuntimeWarnings of 0/0 in the first rows, and pandas warnings about the code of `ta`, are expected.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        columns = _trend(prices) | _momentum(prices) | _volatility(prices) | {"obv": _obv(prices)}
    return pd.DataFrame(columns, index=prices.index)[list(INDICATORS)].astype(float)


def check_prices(prices: pd.DataFrame) -> None:
    """Raise InvalidPrices or NonFiniteInput unless open, high, low, close and volume exist, are finite and possible."""
    missing = [name for name in (*PRICES, "volume") if name not in prices]
    if missing:
        raise InvalidPrices(f"no column {', '.join(missing)}: expected {', '.join(PRICES)}, volume")
    values = prices[[*PRICES, "volume"]].to_numpy(dtype=float)
    possible = np.isfinite(values) & (values >= 0)
    possible[:, :-1] &= values[:, :-1] > 0
    bad = np.flatnonzero(~possible.all(axis=1))
    if bad.size:
        rows = counted(bad.size, "row")
        raise NonFiniteInput(
            f"{rows} with NaN, infinite or negative prices or volume, the first at {prices.index[bad[0]]}: "
            "indicators need cleaned prices"
        )


def is_flat(prices: pd.DataFrame, window: int) -> pd.Series:
    """Return True where no price moved in the `window` sessions up to a row; False while there are fewer."""
    return prices["high"].rolling(window).max() == prices["low"].rolling(window).min()


def _trend(prices: pd.DataFrame) -> dict[str, pd.Series]:
    from ta.trend import MACD, EMAIndicator, SMAIndicator

    close = prices["close"]
    macd = MACD(close)
    return {
        "macd": macd.macd(),
        "macd_signal": macd.macd_signal(),
        "macd_hist": macd.macd_diff(),
        **{f"sma_{window}": SMAIndicator(close, window).sma_indicator() for window in AVERAGES},
        **{f"ema_{window}": EMAIndicator(close, window).ema_indicator() for window in AVERAGES},
        "adx_14": _of_bars(average_directional_index, prices),
        "cci_20": _cci(prices),
    }


def _momentum(prices: pd.DataFrame) -> dict[str, pd.Series]:
    from ta.momentum import RSIIndicator, StochasticOscillator

    stochastic = StochasticOscillator(prices["high"], prices["low"], prices["close"])
    return {
        "rsi_14": RSIIndicator(prices["close"]).rsi(),
        "stoch_k": stochastic.stoch(),
        "stoch_d": stochastic.stoch_signal(),
    }


def _volatility(prices: pd.DataFrame) -> dict[str, pd.Series]:
    from ta.volatility import BollingerBands

    bands = BollingerBands(prices["close"])
    return {
        "bb_lower": bands.bollinger_lband(),
        "bb_middle": bands.bollinger_mavg(),
        "bb_upper": bands.bollinger_hband(),
        "atr_14": _of_bars(average_true_range, prices),
    }


def _obv(prices: pd.DataFrame) -> pd.Series:
    """Granville's OBV: `ta` adds the volume of an unchanged close, so the volume of such sessions is set to 0."""
    from ta.volume import OnBalanceVolumeIndicator

    volume = prices["volume"].astype(float).where(prices["close"].diff() != 0, 0.0)
    obv: pd.Series = OnBalanceVolumeIndicator(prices["close"], volume).on_balance_volume()
    return obv


def _cci(prices: pd.DataFrame) -> pd.Series:
    """Lambert's commodity channel index of 20 sessions: typical price off its mean, in 0.015 mean deviations."""
    typical = (prices["high"] + prices["low"] + prices["close"]) / 3
    deviation = np.full(len(prices), np.nan)
    if len(prices) >= 20:
        windows = np.lib.stride_tricks.sliding_window_view(typical.to_numpy(), 20)
        deviation[19:] = np.abs(windows - windows.mean(axis=1, keepdims=True)).mean(axis=1)
    cci: pd.Series = (typical - typical.rolling(20).mean()) / (0.015 * deviation)
    # Rounding makes the 0/0 of a motionless window an arbitrary number.
    return cci.where(~is_flat(prices, 20))


def _of_bars(formula: Callable[[Floats, Floats, Floats, int], Floats], prices: pd.DataFrame) -> pd.Series:
    high, low, close = (prices[name].to_numpy(dtype=float) for name in ("high", "low", "close"))
    return pd.Series(formula(high, low, close, 14), index=prices.index)


def wilder_average(values: Floats, window: int) -> Floats:
    """Return the Wilder average (n,) of finite values (n,).

    NaN in the first `window - 1` rows, then the mean of the first `window` values, then 1/window of each new value.
    """
    average = np.full(len(values), np.nan)
    if len(values) >= window:
        inputs = np.concatenate([[values[:window].mean()], values[window:]])
        average[window - 1 :] = pd.Series(inputs).ewm(alpha=1 / window, adjust=False).mean().to_numpy()
    return average


def average_true_range(high: Floats, low: Floats, close: Floats, window: int) -> Floats:
    """Return ATR in currency, (n,) each, NaN in the first `window - 1` rows. The first row's range is high - low."""
    return wilder_average(np.concatenate([high[:1] - low[:1], _true_range(high, low, close)]), window)


def average_directional_index(high: Floats, low: Floats, close: Floats, window: int) -> Floats:
    """Return ADX, 0 to 100, (n,) each, NaN in the first `2 * window - 1` rows; 0 without any move."""
    up, down = np.diff(high), -np.diff(low)
    ranges = wilder_average(_true_range(high, low, close), window)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0, a motionless market, is no direction
        rising = wilder_average(np.where((up > down) & (up > 0), up, 0.0), window) / ranges
        falling = wilder_average(np.where((down > up) & (down > 0), down, 0.0), window) / ranges
        movement = rising + falling
        direction = np.where(movement > 0, 100 * np.abs(rising - falling) / movement, 0.0)[window - 1 :]
    index = np.full(len(high), np.nan)
    index[window:] = wilder_average(direction, window)
    return index


def _true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the range that includes the previous close, from the second row on, (n - 1,)."""
    return np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
