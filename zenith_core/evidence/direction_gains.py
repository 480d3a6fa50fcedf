"""Gains of bets that a signal's direction is right, bounded before the outcome.

A bet is on buy if the model finds it likelier than on average so far, compared with sell, else on sell. The stake grows
with the distance. It wins if the price then moves up or down more often than past labels did, and is off where the
price hardly moves: a model of the size of moves alone, or of the drift alone, has no signal. So the null is that the
direction, given all that was known, has nothing to do with the signal. It is the null of `direction_test`, which looks
once.
"""

import numpy as np

from zenith_core.arrays import Floats, Ints
from zenith_core.features.targets import BUY, SELL, UNKNOWN

_SCALE = 4.0  # a bet of 1 is then the best on calibrated probabilities near one half


def buy_shares(probabilities: Floats) -> Floats:
    """Return the probability of buy as a share of that of buy and sell, (n,) of (n, 3)."""
    shares: Floats = probabilities[:, BUY] / (probabilities[:, BUY] + probabilities[:, SELL])
    return shares


def past_means(values: Floats, count: int = 0, total: float = 0.0) -> Floats:
    """Return the mean of all values before each one, and of `count` earlier ones that add up to `total`. (n,)

    The first value of all has none before, and stands for itself.
    """
    sums, counts = total + np.cumsum(values) - values, count + np.arange(len(values))
    means: Floats = np.divide(sums, counts, out=values.copy(), where=counts > 0)
    return means


def direction_gains(shares: Floats, usual: Floats, frequency: Floats, label: Ints) -> tuple[Floats, Floats]:
    """Return the gain of a bet of 1 on each signal, NaN where its label is UNKNOWN, and the bound of its size. (n,)

    shares, usual:  `buy_shares` of the probabilities, and their `past_means`
    frequency:      `buy_shares` of the frequencies of past labels
    label:          the class that came
    """
    lean = _SCALE * (shares - usual)
    gain = np.select(
        [label == BUY, label == SELL, label == UNKNOWN], [lean * (1 - frequency), -lean * frequency, np.nan], 0.0
    )
    return gain, np.abs(lean) * np.maximum(frequency, 1 - frequency)
