"""Loss differences between a served forecast and the forecast that the price stays, bounded before the outcome.

The loss is Huber's, of the error of the log return in units of the served band: it counts small errors squared, and
large ones by their size, so that one crash day decides nothing. Its slope is at most HUBER, so a forecast of size g
gains or loses at most HUBER * g, a bound that is known when the forecast is made. That is all that betting on it needs.
Source: Huber (1964), Robust Estimation of a Location Parameter.
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from zenith_core.arrays import Floats
from zenith_core.inference import QUANTILES

HUBER = 1.345  # where squares end; the estimate is then 95 % as precise as the mean of normal errors
_BAND = 2 * NormalDist().inv_cdf(QUANTILES[-1])  # width of the band of a standard normal


def huber_loss(error: ArrayLike) -> Floats:
    """Return half the square up to HUBER, and the tangent beyond it."""
    size = np.abs(np.asarray(error, dtype=float))
    loss: Floats = np.where(size <= HUBER, size**2 / 2, HUBER * (size - HUBER / 2))
    return loss


def differences(forecast: ArrayLike, outcome: ArrayLike) -> tuple[Floats, Floats]:
    """Return by how much the forecast lost less than 0 did, and a bound of its size known beforehand.

    forecast, outcome:  log returns from the origin in units of the expected deviation, of one shape; an outcome that is
                        not known yet is NaN, and so is its difference
    """
    expected, actual = np.asarray(forecast, dtype=float), np.asarray(outcome, dtype=float)
    return huber_loss(actual) - huber_loss(actual - expected), HUBER * np.abs(expected)


def price_differences(
    close: Floats, forecast: Floats, lower: Floats, upper: Floats, actual: Floats
) -> tuple[Floats, Floats]:
    """Return `differences` of forecast prices from their origins' closes, (n,) each, in units of their 90 % bands.

    A row whose prices or band are unusable takes no part: its difference and its bound are 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.log(upper / lower) / _BAND
        expected = np.log(forecast / close) / deviation
        outcome = np.log(actual / close) / deviation
    usable = np.isfinite(expected) & (deviation > 0) & (np.isnan(actual) | np.isfinite(outcome))
    return differences(np.where(usable, expected, 0.0), np.where(usable, outcome, 0.0))
