"""Rank probabilities of tickers in joint draws of their returns. numpy alone: serving uses it."""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, Floats
from zenith_core.portfolio.fifths import fifth_probabilities

RANKED = (5, 20)
"""The horizons in sessions whose ranks of all tickers are stored."""


@dataclass(frozen=True)
class Ranks:
    """Rank probabilities of n tickers among one another.

    fifths:  (n, 5) that the return is in the lowest fifth, ... the highest
    first:   (n,) that it is the highest of all; ties share it
    last:    (n,) that it is the lowest
    """

    fifths: Floats
    first: Floats
    last: Floats


def rank_probabilities(draws: AnyFloats) -> Ranks:
    """Return the rank probabilities of draws (draws, n)."""
    return Ranks(fifth_probabilities(draws), _share_of_extremes(draws), _share_of_extremes(-draws))


def beat_probabilities(draws: AnyFloats) -> Floats:
    """Return the probability that each ticker has a higher return than each other, half for a tie: (n, n)."""
    rows = [
        ((own[:, np.newaxis] > draws).mean(axis=0) + (own[:, np.newaxis] >= draws).mean(axis=0)) / 2 for own in draws.T
    ]
    return np.array(rows)


def _share_of_extremes(draws: AnyFloats) -> Floats:
    highest = draws == draws.max(axis=1, keepdims=True)
    share: Floats = (highest / highest.sum(axis=1, keepdims=True)).mean(axis=0)
    return share
