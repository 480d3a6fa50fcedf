"""A ticker's history for the scale: the inputs of each session, and the moves of the price after it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools, Floats
from zenith_core.features.model_features import ewma_volatility
from zenith_core.features.targets import forward_log_returns
from zenith_core.names import HORIZONS
from zenith_core.prices.standstill import standing_still

ANCHORS = (1, 2, 3, 5, 8, 13, 20, 30)
"""The horizons that are fitted, in sessions; those between are interpolated in the logarithm of the horizon."""

RANGE_WINDOWS = (1, 5, 22, 66, 250)  # sessions: a day, a week, a month, a quarter, a year
SCALE_INPUTS = (
    "constant",
    "log_ewma",
    *(f"log_range_{sessions}" for sessions in RANGE_WINDOWS),
    "return_1",
    "size_of_return_1",
    "return_5",
    "return_20",
)
"""The inputs of the scale, in the order of its coefficients."""

WARM_UP = max(RANGE_WINDOWS)
"""The fewest sessions from which there is a scale."""

_RANGE_FLOOR = 1e-8  # of a day's variance: a ten-thousandth a day
_MAX_RETURN = 5.0  # in units of volatility
_LEAST_VOLATILITY = 0.004  # a day; below, the smallest price step rules the returns
_MOVING_WINDOW, _LEAST_MOVING = 60, 0.85  # share of the last 60 closes that moved


@dataclass(frozen=True)
class PriceMoves:
    """The n sessions of a ticker.

    dates:       (n,) datetime64
    volatility:  (n,) daily EWMA volatility of log returns, a fraction
    inputs:      (n, SCALE_INPUTS), NaN in the first WARM_UP - 1 rows
    moves:       (3, n, ANCHORS) log return over the horizon, log(highest high / close) and log(lowest low / close)
                 within it; NaN where that is in the future or meets a suspect price
    sound:       (n,) True where there are inputs and the price does not stand still
    liquid:      (n,) True where it is sound and moves enough to learn from
    market:      code of its exchange; empty if nobody asks for it
    """

    dates: np.ndarray
    volatility: Floats
    inputs: Floats
    moves: Floats
    sound: Bools
    liquid: Bools
    market: str = ""

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self.dates)

    def standardized(self) -> Floats:
        """Return the moves in units of EWMA volatility * sqrt(horizon): (3, n, ANCHORS)."""
        return self.moves / (self.volatility[:, np.newaxis] * np.sqrt(ANCHORS))

    def moves_until(self, end: int) -> Floats:
        """Return the moves that were known at the close of session `end`, NaN for later ones: (3, end + 1, ANCHORS)."""
        arrival = np.arange(end + 1)[:, np.newaxis] + np.array(ANCHORS)
        return np.where(arrival <= end, self.moves[:, : end + 1], np.nan)


def price_moves(prices: pd.DataFrame) -> PriceMoves:
    """Return inputs and moves of cleaned `prices` (open, high, low, close, suspect; index of dates).

    An input of row t uses rows up to t only.
    """
    close = prices["close"].to_numpy(dtype=np.float64)
    volatility = ewma_volatility(prices["close"]).to_numpy(dtype=np.float64)
    inputs = _inputs(prices, volatility)
    sound = np.isfinite(inputs).all(axis=1) & ~standing_still(prices["close"])
    moving = pd.Series(np.append(1.0, close[1:] != close[:-1])).rolling(_MOVING_WINDOW).mean().to_numpy()
    return PriceMoves(
        dates=pd.DatetimeIndex(prices.index).to_numpy(),
        volatility=volatility,
        inputs=inputs,
        moves=_moves(prices),
        sound=sound,
        liquid=sound & (volatility > _LEAST_VOLATILITY) & (moving >= _LEAST_MOVING),
    )


def range_variance(prices: pd.DataFrame) -> Floats:
    """Return the variance of each day from its four log prices, (n,), at least 1e-8.

    Overnight gap squared + ½(h - l)² - (2 ln 2 - 1)(c - o)²; the first day has no gap. Source: Garman and Klass (1980),
    On the Estimation of Security Price Volatilities from Historical Data.
    """
    opening, high, low, close = (
        np.log(prices[name].to_numpy(dtype=np.float64)) for name in ("open", "high", "low", "close")
    )
    gap = np.append(0.0, opening[1:] - close[:-1])
    variance = gap**2 + 0.5 * (high - low) ** 2 - (2 * np.log(2) - 1) * (close - opening) ** 2
    return np.asarray(np.maximum(variance, _RANGE_FLOOR), dtype=np.float64)


def _inputs(prices: pd.DataFrame, volatility: Floats) -> Floats:
    """Return SCALE_INPUTS of each row: log EWMA, log ratios of range volatility to it, standardized returns."""
    log_close = np.log(prices["close"].to_numpy(dtype=np.float64))
    variance = pd.Series(range_variance(prices))
    with np.errstate(all="ignore"):
        ratios = [
            0.5 * np.log(variance.rolling(sessions).mean().to_numpy()) - np.log(volatility)
            for sessions in RANGE_WINDOWS
        ]
    last, week, month = (_past_return(log_close, sessions, volatility) for sessions in (1, 5, 20))
    constant = np.ones(len(log_close))
    return np.column_stack([constant, np.log(volatility), *ratios, last, np.abs(last), week, month])


def _past_return(log_close: Floats, sessions: int, volatility: Floats) -> Floats:
    past = np.full(len(log_close), np.nan)
    past[sessions:] = log_close[sessions:] - log_close[:-sessions]
    ratio: Floats = np.clip(past / (volatility * sessions**0.5), -_MAX_RETURN, _MAX_RETURN)
    return ratio


def _moves(prices: pd.DataFrame) -> Floats:
    suspect = prices["suspect"].to_numpy(dtype=bool)
    close, high, low = (
        np.where(suspect, np.nan, prices[name].to_numpy(dtype=np.float64)) for name in ("close", "high", "low")
    )
    columns = [horizon - 1 for horizon in ANCHORS]
    returns = forward_log_returns(close, HORIZONS)[:, columns]
    highest, lowest = (
        np.column_stack([np.log(_extreme_after(values, horizon, largest) / close) for horizon in ANCHORS])
        for values, largest in ((high, True), (low, False))
    )
    return np.stack([returns, highest, lowest])


def _extreme_after(values: Floats, sessions: int, largest: bool) -> Floats:
    """Return the largest or smallest of the next `sessions` values of each row; NaN where one is missing."""
    window = pd.Series(values).rolling(sessions)
    extreme: Floats = (window.max() if largest else window.min()).to_numpy()
    after: Floats = np.append(extreme[sessions:], np.full(min(sessions, len(values)), np.nan))
    return after
