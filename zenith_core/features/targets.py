"""Targets of the models, forward returns and buy / hold / sell labels; and their input windows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.arrays import AnyFloats, AnyInts, Floats, Floats32
from zenith_core.names import HEADLINE_HORIZON, SIGNALS

SELL, HOLD, BUY = range(len(SIGNALS))
UNKNOWN = -1


def forward_log_returns(close: AnyFloats, horizons: int) -> Floats:
    """Return the cumulative log-return from each session to 1 … `horizons` sessions later, a fraction.

    `close` (n,) → (n, horizons); column h - 1 holds log(close[t + h] / close[t]). NaN where that session
    is in the future, or where either close is NaN.
    """
    log_close = np.log(np.asarray(close, dtype=np.float64))
    returns = np.full((len(log_close), horizons), np.nan)
    for horizon in range(1, min(horizons, len(log_close) - 1) + 1):
        returns[:-horizon, horizon - 1] = log_close[horizon:] - log_close[:-horizon]
    return returns


def standardized_returns(returns: AnyFloats, volatility: AnyFloats) -> Floats:
    """Return forward returns (n, horizons) in units of the volatility at the origin: r_h / (volatility * sqrt(h)).

    `volatility` (n,) is daily, a fraction. NaN passes through. Under a random walk every column has
    about unit variance, so that one network and one loss serve all horizons.
    """
    return returns / (volatility[:, np.newaxis] * root_horizons(returns.shape[1]))


def root_horizons(horizons: int) -> Floats:
    """Return sqrt(1) … sqrt(horizons), (horizons,): the growth of a random walk's volatility with the horizon."""
    return np.sqrt(np.arange(1, horizons + 1, dtype=np.float64))


def signal_labels(
    close: AnyFloats, volatility: AnyFloats, horizon: int = HEADLINE_HORIZON, threshold: float = 0.5
) -> NDArray[np.int8]:
    """Label each session by its forward log-return against ± threshold * volatility * sqrt(horizon).

    `close` (n,), `volatility` (n,) daily, a fraction → (n,) of 0 sell, 1 hold, 2 buy (the order of SIGNALS),
    -1 where the return or the volatility is unknown (NaN).
    """
    scores = standardized_returns(forward_log_returns(close, horizon), np.asarray(volatility, dtype=np.float64))[:, -1]
    labels = np.full(len(scores), HOLD, dtype=np.int8)
    labels[scores > threshold] = BUY
    labels[scores < -threshold] = SELL
    labels[np.isnan(scores)] = UNKNOWN
    return labels


def labels_before(features: pd.DataFrame, first: pd.Timestamp, horizon: int, threshold: float) -> list[str]:
    """Return the labels that are known at the session `first`, from `close` and `volatility` by session."""
    close, volatility = features["close"].to_numpy(), features["volatility"].to_numpy()
    labels = signal_labels(close, volatility, horizon, threshold)
    past_labels = labels[: max(int(features.index.searchsorted(first)) - horizon, 0)]
    return [SIGNALS[label] for label in past_labels if label >= 0]


def input_windows(values: AnyFloats, ends: AnyInts, length: int) -> Floats32:
    """Return windows of `length` rows of `values` (n, features), each ending with (and including) row `ends[i]`.

    float32 (len(ends), length, features). NaN passes through. Raises ValueError if a window
    would start before row 0 or end after the last row.
    """
    if ends.size and (ends.min() < length - 1 or ends.max() >= len(values)):
        raise ValueError(f"windows of {length} rows must end in rows {length - 1} to {len(values) - 1}")
    rows = ends[:, np.newaxis] + np.arange(1 - length, 1)
    windows: Floats32 = values.astype(np.float32)[rows]
    return windows
