"""Seeded draws of standardized returns of several tickers. numpy alone: serving uses it.

Draws have four bytes each: their Monte Carlo error is far above the rounding, and an answer touches half the memory.
"""

from functools import lru_cache

import numpy as np

from zenith_core.arrays import Floats, Floats32

FREEDOM = 8.0  # of Student's t: returns of four weeks have tails, and the tails come together


def correlated_draws(correlation: Floats, draws: int, seed: int) -> Floats32:
    """Draw returns of a standard deviation of 1 with a positive definite `correlation` (n, n): (draws, n).

    Student's t with one denominator for all tickers, each draw beside its mirror image; `draws` is even.
    """
    normal, factors = _independent(draws // 2, len(correlation), seed)
    both = np.empty((len(correlation), draws), np.float32)
    np.matmul(_root(correlation).T.astype(np.float32), normal.T, out=both[:, : draws // 2])
    return _mirrored(both, factors)


def factor_draws(loadings: Floats, own: Floats, draws: int, seed: int) -> Floats32:
    """Draw the same from loadings (factors, n) and own parts (n,)."""
    generator = np.random.default_rng(seed)
    both = np.empty((len(own), draws), np.float32)
    half = both[:, : draws // 2]
    normal = generator.standard_normal((draws // 2, len(loadings)), np.float32)
    np.matmul(loadings.T.astype(np.float32), normal.T, out=half)
    for row, share in enumerate(own.tolist()):
        half[row] += share * generator.standard_normal(half.shape[1], np.float32)
    return _mirrored(both, _tails(half.shape[1], generator))


@lru_cache(maxsize=2)
def _independent(draws: int, tickers: int, seed: int) -> tuple[Floats32, Floats]:
    """Return normal numbers (draws, tickers), and the factors that make them draws of Student's t.

    They are kept, because all books with as many tickers have the same.
    """
    generator = np.random.default_rng(seed)
    return generator.standard_normal((draws, tickers), np.float32), _tails(draws, generator)


def _tails(draws: int, generator: np.random.Generator) -> Floats:
    """Return the factors that make draws of a normal distribution those of Student's t of the same deviation."""
    factors: Floats = np.sqrt((FREEDOM - 2) / generator.chisquare(FREEDOM, draws))
    return factors


def _mirrored(both: Floats32, factors: Floats) -> Floats32:
    """Multiply the first half of (n, draws) by the factors of each draw, and let the second be its mirror image."""
    half = both[:, : both.shape[1] // 2]
    half *= factors
    np.negative(half, out=both[:, half.shape[1] :])
    return both.T


def _root(matrix: Floats) -> Floats:
    """Return a matrix whose transpose times itself is the positive definite `matrix`."""
    values, vectors = np.linalg.eigh(matrix)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return root
