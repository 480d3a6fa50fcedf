"""The joint distribution of all tickers' returns: a scale and a drift for each, and their correlation."""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import Floats, Ints
from zenith_core.portfolio.close_scale import close_scale
from zenith_core.portfolio.correlation import DEPTH, SPAN, correlation
from zenith_core.portfolio.draws import correlated_draws
from zenith_core.portfolio.standardized import shrinkage, standardized

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
        """Draw log returns: (draws, n); `draws` is even."""
        log_returns: Floats = self.drift + self.scale * correlated_draws(self.correlation, draws, seed)
        return log_returns


def joint_forecast(returns: Floats, tickers: Ints, horizon: int) -> JointForecast:
    """Forecast `tickers` (columns) of `returns` (rows, all tickers) over the `horizon` sessions after the last row.

    All tickers of `returns` teach the scale; each of `tickers` must have returns.
    """
    scale = close_scale(returns, horizon)[tickers]
    own = returns[:, tickers]
    scores = standardized(own[-DEPTH - SPAN :])
    matrix = correlation(scores, shrinkage(scores))
    return JointForecast(scale, np.where(scale > 0, drift(own, horizon), 0.0), matrix)


def drift(returns: Floats, horizon: int) -> Floats:
    """Return the mean log return over `horizon` sessions, shrunk to 0: (tickers,)."""
    count = np.isfinite(returns).sum(axis=0)
    mean: Floats = np.nansum(returns, axis=0) / (count + NO_DRIFT_YEARS * SESSIONS_OF_A_YEAR)
    return mean * horizon
