"""Probabilities of the fifths: how likely a ticker's return is among the lowest fifth of all, ... the highest.

The score is the ranked probability score of the M6 competition. Source: Makridakis et al. (2024), The M6 forecasting
competition: Bridging the gap between forecasting and investment decisions.
"""

import numpy as np

from zenith_core.arrays import AnyFloats, Floats, Ints

FIFTHS = 5
_CHUNK = 1_000_000  # numbers with ties at a time


def fifth_shares(values: Floats) -> Floats:
    """Return the share of each ticker in each fifth, lowest first: (tickers,) → (tickers, 5).

    Shares add up to 1 for a ticker and to tickers / 5 for a fifth: where that is no whole number, the ticker on the
    border belongs to both fifths. Tied tickers share their places.
    """
    order = np.argsort(values, kind="stable")
    places = np.empty((len(values), FIFTHS))
    places[order] = _shares(len(values))
    _, group = np.unique(values, return_inverse=True)
    sums = np.zeros((group.max() + 1, FIFTHS))
    np.add.at(sums, group, places)
    shares: Floats = (sums / np.bincount(group)[:, np.newaxis])[group]
    return shares


def fifth_probabilities(draws: AnyFloats) -> Floats:
    """Return the mean of the `fifth_shares` of each draw (draws, tickers): (tickers, 5)."""
    count = draws.shape[1]
    order = np.argsort(draws, axis=1, kind="stable")
    in_order = np.take_along_axis(draws, order, axis=1)
    has_ties = (in_order[:, 1:] == in_order[:, :-1]).any(axis=1)
    places = np.bincount((order[~has_ties] * count + np.arange(count)).ravel(), minlength=count * count)
    total = places.reshape(count, count) @ _shares(count)
    for rows in np.array_split(np.flatnonzero(has_ties), 1 + has_ties.sum() * count // _CHUNK):
        total += _shares_of_ties(order[rows], in_order[rows])
    probabilities: Floats = total / len(draws)
    return probabilities


def ranked_probability_score(probabilities: Floats, shares: Floats) -> Floats:
    """Return the mean squared difference of cumulative probabilities and outcome: (tickers, 5) each → (tickers,).

    A ticker in two fifths scores the mean of both, so equal probabilities score 0.16 on average for any number of
    tickers.
    """
    outcome = shares.cumsum(axis=1)
    squared = (probabilities.cumsum(axis=1) - outcome) ** 2 + outcome * (1 - outcome)
    score: Floats = squared.mean(axis=1)
    return score


def _shares_of_ties(order: Ints, in_order: AnyFloats) -> Floats:
    """Return the sum over draws of the shares of each ticker, tied tickers sharing theirs: (tickers, 5)."""
    places, count = np.arange(order.shape[1]), order.shape[1]
    rises, ends = np.ones(order.shape, dtype=bool), np.ones(order.shape, dtype=bool)
    rises[:, 1:] = ends[:, :-1] = in_order[:, 1:] > in_order[:, :-1]
    start = np.maximum.accumulate(np.where(rises, places, 0), axis=1)
    end = np.minimum.accumulate(np.where(ends, places + 1, count)[:, ::-1], axis=1)[:, ::-1]
    cumulative = np.vstack([np.zeros(FIFTHS), _shares(count).cumsum(axis=0)])
    shares = (cumulative[end] - cumulative[start]) / (end - start)[..., np.newaxis]
    return np.stack(
        [np.bincount(order.ravel(), shares[..., fifth].ravel(), minlength=count) for fifth in range(FIFTHS)], axis=1
    )


def _shares(count: int) -> Floats:
    """Return the share of each place of `count`, lowest first, in each fifth."""
    edges = np.arange(count + 1) * FIFTHS / count
    fifths = np.arange(FIFTHS)
    overlap = np.minimum(edges[1:, np.newaxis], fifths + 1) - np.maximum(edges[:-1, np.newaxis], fifths)
    shares: Floats = np.clip(overlap, 0.0, None) * count / FIFTHS
    return shares
