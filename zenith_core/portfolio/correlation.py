"""The correlation of returns: exponentially weighted, over several sessions, and shrunk. numpy alone, for serving."""

import numpy as np

from zenith_core.arrays import Floats

SPAN = 5  # sessions of a return: exchanges that close at different times see the same news on different days
HALF_LIFE = 250  # sessions
DEPTH = 1500  # sessions, six half-lives
LIMIT = 4.0  # a larger return counts as this many standard deviations
SMALLEST = 1e-6  # eigenvalue


def correlation(scores: Floats, shrinkage: float) -> Floats:
    """Return the correlation matrix of standardized returns (rows, tickers), positive definite with a diagonal of 1.

    Returns are measured by the volatility before them, so turbulent weeks do not decide alone. NaN rows of a ticker are
    left out pair by pair; a ticker that stands still or has no return is uncorrelated with all. `shrinkage` is the
    share of the identity.
    """
    sums, present, weight = weighted_sums(scores)
    rows = np.sqrt(weight) * sums
    products = rows.T @ rows
    own = np.square(rows)
    squares = own.sum(axis=0)[:, np.newaxis] if present.all() else own.T @ present  # on the rows of the other ticker
    scale = np.sqrt(squares * squares.T)
    raw = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    estimate = (1 - shrinkage) * np.clip(raw, -1.0, 1.0)
    np.fill_diagonal(estimate, 1.0)
    return positive_definite(estimate)


def correlation_factors(scores: Floats, shrinkage: float) -> tuple[Floats, Floats]:
    """Return the same in factor form, for more tickers than a dense matrix should have: loadings and own parts.

    Loadings (factors, tickers) are those of the rows; loadings' squares and those of the own parts (tickers,) add up to
    1. Young tickers are less correlated than in the dense form, because their missing rows count as 0.
    """
    sums, _, weight = weighted_sums(scores)
    rows = np.sqrt(weight) * sums
    size = np.sqrt(np.square(rows).sum(axis=0))
    loadings: Floats = np.sqrt(1 - shrinkage) * np.divide(rows, size, out=np.zeros_like(rows), where=size > 0)
    return loadings, np.sqrt(1 - np.square(loadings).sum(axis=0))


def positive_definite(matrix: Floats) -> Floats:
    """Return the correlation matrix near a symmetric `matrix` whose eigenvalues are all positive."""
    symmetric: Floats = (matrix + matrix.T) / 2
    try:
        np.linalg.cholesky(symmetric - SMALLEST * np.eye(len(symmetric)))  # a tenth of the time of eigenvalues
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(symmetric)
        nearest = (vectors * np.maximum(values, SMALLEST)) @ vectors.T
        size = np.sqrt(np.diag(nearest))
        symmetric = nearest / np.outer(size, size)
        symmetric = (symmetric + symmetric.T) / 2
    np.fill_diagonal(symmetric, 1.0)
    return symmetric


def independent_bets(matrix: Floats) -> float:
    """Return how many uncorrelated tickers would vary as much together: tickers² / sum of squared correlations."""
    return float(len(matrix) ** 2 / np.square(matrix).sum())


def weighted_sums(scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Return sums over SPAN sessions of standardized returns, 0 where there is none; 1 where there is one; weights."""
    recent = scores[-DEPTH - SPAN :]
    present = np.isfinite(recent)
    is_whole = present.all()
    total = np.clip(recent if is_whole else np.where(present, recent, 0.0), -LIMIT, LIMIT).cumsum(axis=0)
    sums = total.copy()
    sums[SPAN:] -= total[:-SPAN]
    if not is_whole:
        sums[~present] = 0.0
    weight = 0.5 ** (np.arange(len(sums) - 1, -1, -1.0) / HALF_LIFE)[:, np.newaxis]
    return sums, present.astype(np.float64), weight
