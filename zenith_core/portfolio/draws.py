"""Seeded draws of standardized returns of several tickers. numpy alone: serving uses it.

Draws have four bytes each: their Monte Carlo error is far above the rounding, and an answer touches half the memory.
"""

import numpy as np

from zenith_core.arrays import Floats, Floats32

FREEDOM = 8.0  # of Student's t: returns of four weeks have tails, and the tails come together


def correlated_draws(correlation: Floats, draws: int, seed: int) -> Floats32:
    """Draw returns of a standard deviation of 1 with a positive definite `correlation` (n, n): (draws, n).

    Student's t with one denominator for all tickers, each draw beside its mirror image; `draws` is even.
    """
    generator = np.random.default_rng(seed)
    both = np.empty((len(correlation), draws), np.float32)
    normal = generator.standard_normal((draws // 2, len(correlation)), np.float32)
    np.matmul(_root(correlation).T.astype(np.float32), normal.T, out=both[:, : draws // 2])
    return _with_tails(both, generator)


def factor_draws(loadings: Floats, own: Floats, draws: int, seed: int) -> Floats32:
    """Draw the same from loadings (factors, n) and own parts (n,)."""
    generator = np.random.default_rng(seed)
    both = np.empty((len(own), draws), np.float32)
    half = both[:, : draws // 2]
    normal = generator.standard_normal((draws // 2, len(loadings)), np.float32)
    np.matmul(loadings.T.astype(np.float32), normal.T, out=half)
    for row, share in enumerate(own.tolist()):
        half[row] += share * generator.standard_normal(half.shape[1], np.float32)
    return _with_tails(both, generator)


def _with_tails(both: Floats32, generator: np.random.Generator) -> Floats32:
    """Divide the first half of (n, draws) by the common denominator, and let the second be its mirror image."""
    half = both[:, : both.shape[1] // 2]
    half *= np.sqrt((FREEDOM - 2) / generator.chisquare(FREEDOM, half.shape[1]))
    np.negative(half, out=both[:, half.shape[1] :])
    return both.T


def _root(matrix: Floats) -> Floats:
    """Return a matrix whose transpose times itself is the positive definite `matrix`."""
    values, vectors = np.linalg.eigh(matrix)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return root
