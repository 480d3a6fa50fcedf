"""The risk of a book: its positions' values times joint draws of returns.

Amounts are in the book's currency; a loss is positive, a gain a negative loss. The volatility of the book and
the mean of its worst draws are sums over the positions, and so are their parts: Euler's allocation.
Source: Tasche (1999), Risk contributions and performance measurement.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import Floats, Ints


@dataclass(frozen=True)
class TailRisk:
    """The losses in the worst draws.

    tail:           their share, 0.05 for one draw in twenty
    value_at_risk:  the smallest of these losses
    shortfall:      their mean
    contributions:  (n,) of each position to `shortfall`; they add up to it
    """

    tail: float
    value_at_risk: float
    shortfall: float
    contributions: Floats


@dataclass(frozen=True)
class BookRisk:
    """The risk of n positions.

    volatility:       standard deviation of the book's gain
    contributions:    (n,) of each position to `volatility`, negative for a hedge; they add up to it
    alone:            (n,) volatility of each position alone
    diversification:  the share of the positions' own volatilities that does not reach the book; None if nothing moves
    tails:            by tail, as requested
    """

    volatility: float
    contributions: Floats
    alone: Floats
    diversification: float | None
    tails: tuple[TailRisk, ...]


def book_risk(values: Floats, log_returns: Floats, tails: Sequence[float]) -> BookRisk:
    """Return the risk of positions worth `values` (n,), negative if short, from draws of log returns (draws, n).

    Cash has no risk. Raises ValueError for a tail that is not a share of at least one draw, or beyond one half.
    """
    gains = np.expm1(log_returns) * values
    gains_about_mean = gains - gains.mean(axis=0)
    book = gains_about_mean.sum(axis=1)
    variance = np.mean(book**2)
    volatility = float(np.sqrt(variance))
    alone = np.sqrt(np.mean(gains_about_mean**2, axis=0))
    contributions = gains_about_mean.T @ book / len(book) / volatility if volatility > 0 else np.zeros(len(values))
    total = float(alone.sum())
    diversification = 1 - volatility / total if total > 0 else None
    order = np.argsort(gains.sum(axis=1), kind="stable")
    return BookRisk(
        volatility, contributions, alone, diversification, tuple(_tail_risk(gains, order, tail) for tail in tails)
    )


def _tail_risk(gains: Floats, order: Ints, tail: float) -> TailRisk:
    if not 1 / len(gains) <= tail <= 0.5:
        raise ValueError(f"tail {tail:g} must be between {1 / len(gains):g} and 0.5")
    count = round(tail * len(gains))
    worst = -gains[order[:count]]
    contributions = worst.mean(axis=0)
    return TailRisk(tail, float(worst[-1].sum()), float(contributions.sum()), contributions)
