"""The joint distribution of all tickers' returns: a scale and a drift for each, and their correlation."""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import Floats, Ints
from zenith_core.portfolio.close_scale import close_scale
from zenith_core.portfolio.correlation import correlation

FREEDOM = 8.0  # of Student's t: returns of four weeks have tails, and the tails come together
NO_DRIFT_YEARS = 20  # a ticker's mean return counts as if it had earned nothing for this long before
SESSIONS_OF_A_YEAR = 252


@dataclass(frozen=True)
class JointForecast:
    """Log returns of n tickers over one horizon.

    scale:        (n,) standard deviation, a fraction; 0 for a ticker that stands still
    drift:        (n,) mean, a fraction
    correlation:  (n, n)
    """

    scale: Floats
    drift: Floats
    correlation: Floats

    def draw(self, draws: int, seed: int) -> Floats:
        """Draw log returns: (draws, n); `draws` is even.

        Student's t with one denominator for all tickers, each draw beside its mirror image.
        """
        generator = np.random.default_rng(seed)
        half = generator.standard_normal((draws // 2, len(self.scale))) @ _root(self.correlation)
        tail = np.sqrt((FREEDOM - 2) / generator.chisquare(FREEDOM, (draws // 2, 1)))
        moves = half * tail * self.scale
        draws_of_both: Floats = self.drift + np.concatenate([moves, -moves])
        return draws_of_both


def joint_forecast(returns: Floats, tickers: Ints, horizon: int) -> JointForecast:
    """Forecast `tickers` (columns) of `returns` (rows, all tickers) over the `horizon` sessions after the last row.

    All tickers of `returns` teach the scale; each of `tickers` must have returns.
    """
    scale = close_scale(returns, horizon)[tickers]
    own = returns[:, tickers]
    return JointForecast(scale, np.where(scale > 0, drift(own, horizon), 0.0), correlation(own))


def drift(returns: Floats, horizon: int) -> Floats:
    """Return the mean log return over `horizon` sessions, shrunk to 0: (tickers,)."""
    count = np.isfinite(returns).sum(axis=0)
    mean: Floats = np.nansum(returns, axis=0) / (count + NO_DRIFT_YEARS * SESSIONS_OF_A_YEAR)
    return mean * horizon


def _root(matrix: Floats) -> Floats:
    """Return a matrix whose transpose times itself is the positive definite `matrix`."""
    values, vectors = np.linalg.eigh(matrix)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return root
