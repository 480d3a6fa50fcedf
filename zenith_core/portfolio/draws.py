"""Seeded draws of standardized returns of several tickers. numpy alone: serving uses it."""

import numpy as np

from zenith_core.arrays import Floats

FREEDOM = 8.0  # of Student's t: returns of four weeks have tails, and the tails come together


def correlated_draws(correlation: Floats, draws: int, seed: int) -> Floats:
    """Draw returns of a standard deviation of 1 with a positive definite `correlation` (n, n): (draws, n).

    Student's t with one denominator for all tickers, each draw beside its mirror image; `draws` is even.
    """
    generator = np.random.default_rng(seed)
    half = _root(correlation).T @ generator.standard_normal((draws // 2, len(correlation))).T
    return _with_tails(half, generator)


def factor_draws(loadings: Floats, own: Floats, draws: int, seed: int) -> Floats:
    """Draw the same from loadings (factors, n) and own parts (n,)."""
    generator = np.random.default_rng(seed)
    half = loadings.T @ generator.standard_normal((draws // 2, len(loadings))).T
    half += own[:, np.newaxis] * generator.standard_normal(half.shape)
    return _with_tails(half, generator)


def _with_tails(half: Floats, generator: np.random.Generator) -> Floats:
    """Divide (n, draws / 2) by the common denominator; return it beside its mirror image, (draws, n)."""
    half *= np.sqrt((FREEDOM - 2) / generator.chisquare(FREEDOM, half.shape[1]))
    return np.concatenate([half, -half], axis=1).T


def _root(matrix: Floats) -> Floats:
    """Return a matrix whose transpose times itself is the positive definite `matrix`."""
    values, vectors = np.linalg.eigh(matrix)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return root
