"""The risk of a book: its positions' values times joint draws of returns.

Amounts are in the book's currency; a loss is positive, a gain a negative loss. The volatility of the book and
the mean of its worst draws are sums over the positions, and so are their parts: Euler's allocation.
Source: Tasche (1999), Risk contributions and performance measurement.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, Floats


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


def book_risk(values: Floats, log_returns: AnyFloats, tails: Sequence[float]) -> BookRisk:
    """Return the risk of positions worth `values` (n,), negative if short, from draws of log returns (draws, n).

    Cash has no risk. Raises ValueError for a tail that is not a share of at least one draw, or beyond one half.
    """
    gains = _gains(values, log_returns)
    book = np.zeros(gains.shape[1])
    for own in gains:
        book += own
    about_mean = book - book.mean()
    volatility = float(np.sqrt(np.mean(about_mean**2)))
    moments = np.array([_moments(own.astype(np.float64), about_mean) for own in gains]).reshape(-1, 2)
    alone, covariances = np.sqrt(moments[:, 0]), moments[:, 1]
    contributions = covariances / volatility if volatility > 0 else np.zeros(len(values))
    total = float(alone.sum())
    diversification = 1 - volatility / total if total > 0 else None
    return BookRisk(volatility, contributions, alone, diversification, tuple(_tail_risks(gains, book, tails)))


def _gains(values: Floats, log_returns: AnyFloats) -> AnyFloats:
    """Return gains (n, draws) of the precision of `log_returns`, row by row: a row fits into a processor's cache."""
    gains = np.empty(log_returns.shape[::-1], log_returns.dtype)
    for number, (value, row) in enumerate(zip(values.tolist(), log_returns.T, strict=True)):
        growth = np.exp(row)  # half the time of expm1, and the difference is that of rounding
        growth -= 1
        np.multiply(growth, value, out=gains[number])
    return gains


def _moments(own: Floats, book: Floats) -> tuple[float, float]:
    """Return the variance of `own` gains, and their covariance with those of the book, which have a mean of 0."""
    mean = own.sum() / len(own)  # a microsecond less than own.mean()
    return max(float(own @ own) / len(own) - mean**2, 0.0), float(own @ book) / len(own)


def _tail_risks(gains: AnyFloats, book: Floats, tails: Sequence[float]) -> Iterator[TailRisk]:
    """Return the risk in each tail, from the gains (n, draws) and those of the book (draws,)."""
    for tail in tails:
        if not 1 / len(book) <= tail <= 0.5:
            raise ValueError(f"tail {tail:g} must be between {1 / len(book):g} and 0.5")
    count = round(max(tails, default=0.0) * len(book))
    worst_draws = np.argpartition(book, count)[:count]  # a tenth of the time of sorting all
    order = worst_draws[np.argsort(book[worst_draws], kind="stable")]
    losses = -gains[:, order].astype(np.float64)
    for tail in tails:
        worst = losses[:, : round(tail * len(book))]
        contributions = worst.mean(axis=1)
        yield TailRisk(tail, float(worst[:, -1].sum()), float(contributions.sum()), contributions)
