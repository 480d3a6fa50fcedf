"""Wilder's averages, and the ATR and ADX made of them: what `ta` computes in Python loops, without the loops.

`ta` is the reference: tests hold the results to its own within 1e-9. A value at row t uses rows up to t only.
Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


def wilder_average(values: Array, window: int) -> Array:
    """(n,) finite values to their Wilder average, (n,).

    NaN in the first `window - 1` rows, then the mean of the first `window` values, then 1/window of each new value.
    """
    average = np.full(len(values), np.nan)
    if len(values) >= window:
        seeded = np.concatenate([[values[:window].mean()], values[window:]])
        average[window - 1 :] = pd.Series(seeded).ewm(alpha=1 / window, adjust=False).mean().to_numpy()
    return average


def average_true_range(high: Array, low: Array, close: Array, window: int) -> Array:
    """ATR in currency, (n,) each, NaN in the first `window - 1` rows. The first row's range is high - low."""
    return wilder_average(np.concatenate([high[:1] - low[:1], _true_range(high, low, close)]), window)


def average_directional_index(high: Array, low: Array, close: Array, window: int) -> Array:
    """ADX, 0 to 100, (n,) each, NaN in the first `2 * window - 1` rows; 0 where nothing ever moved."""
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


def _true_range(high: Array, low: Array, close: Array) -> Array:
    """From the second row on, (n - 1,): the range that includes the close before."""
    return np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
