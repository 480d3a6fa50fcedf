"""The correlation of returns: exponentially weighted, over several sessions, and shrunk."""

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats

SPAN = 5  # sessions of a return: exchanges that close at different times see the same news on different days
HALF_LIFE = 250  # sessions
DEPTH = 1500  # sessions, six half-lives
USUAL = 23  # half-life of the variance that a return is measured by: a decay of 0.97
LIMIT = 4.0  # a larger return counts as this many standard deviations
SMALLEST = 1e-6  # eigenvalue


def correlation(returns: Floats) -> Floats:
    """Return the correlation matrix of `returns` (rows, tickers), positive definite with a diagonal of 1.

    Returns are measured by the volatility before them, so turbulent weeks do not decide alone. NaN rows of a ticker are
    left out pair by pair; a ticker that stands still or has no return is uncorrelated with all. The shrinkage is the
    oracle approximating one.
    Source: Chen, Wiesel, Eldar and Hero (2010), Shrinkage Algorithms for MMSE Covariance Estimation.
    """
    sums, present = _standardized_sums(returns)
    weight = 0.5 ** (np.arange(len(sums) - 1, -1, -1.0) / HALF_LIFE)[:, np.newaxis]
    products = (weight * sums).T @ sums
    squares = (weight * sums**2).T @ present  # of each ticker, on the rows of the other
    scale = np.sqrt(squares * squares.T)
    raw = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    estimate = (1 - _shrinkage(sums, present, weight)) * np.clip(raw, -1.0, 1.0)
    np.fill_diagonal(estimate, 1.0)
    return positive_definite(estimate)


def positive_definite(matrix: Floats) -> Floats:
    """Return the correlation matrix near a symmetric `matrix` whose eigenvalues are all positive."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values[0] < SMALLEST:
        matrix = (vectors * np.maximum(values, SMALLEST)) @ vectors.T
        size = np.sqrt(np.diag(matrix))
        matrix = matrix / np.outer(size, size)
    symmetric: Floats = (matrix + matrix.T) / 2
    np.fill_diagonal(symmetric, 1.0)
    return symmetric


def independent_bets(matrix: Floats) -> float:
    """Return how many uncorrelated tickers would vary as much together: tickers² / sum of squared correlations."""
    return float(len(matrix) ** 2 / np.square(matrix).sum())


def _standardized_sums(returns: Floats) -> tuple[Floats, Floats]:
    """Return sums over SPAN sessions of standardized returns, 0 where there is none, and 1 where there is one."""
    recent = returns[-DEPTH - SPAN :]
    variance = pd.DataFrame(recent**2).ewm(halflife=USUAL).mean().shift(1).to_numpy()
    present = np.isfinite(recent) & (variance > 0)
    scores = np.clip(np.where(present, recent, 0.0) / np.sqrt(np.where(present, variance, 1.0)), -LIMIT, LIMIT)
    sums = pd.DataFrame(scores).rolling(SPAN, min_periods=1).sum().to_numpy()
    return np.where(present, sums, 0.0), present.astype(np.float64)


def _shrinkage(sums: Floats, present: Floats, weight: Floats) -> float:
    """Return the share of the identity, from returns that do not overlap."""
    from sklearn.covariance import oas

    variance = (weight * sums**2).sum(axis=0) / np.maximum((weight * present).sum(axis=0), SMALLEST)
    moving = variance > 0
    if moving.sum() < 2:
        return 0.0
    rows = (sums[:, moving] / np.sqrt(variance[moving]) * np.sqrt(weight / weight.mean()))[::-SPAN]
    return float(oas(rows, assume_centered=True)[1])
