"""The Diebold-Mariano test: is the loss of one forecast significantly smaller than that of another?"""

import math

import numpy as np
from numpy.typing import ArrayLike

from zenith_core.arrays import Floats
from zenith_core.statistics.long_run_variance import overlap_variance


def diebold_mariano(errors: ArrayLike, benchmark_errors: ArrayLike, horizon: int) -> tuple[float, float]:
    """Test squared errors of a forecast against a benchmark's, (n,) each, of the same consecutive origins.

    (statistic, p): negative where the forecast's loss is smaller; `p` is one-sided, the probability of so
    small a statistic if the forecast were no better. (NaN, NaN) where the test is undefined: see `loss_test`.
    """
    own, other = np.asarray(errors, dtype=float), np.asarray(benchmark_errors, dtype=float)
    return loss_test(own**2 - other**2, horizon)


def loss_test(differences: Floats, horizon: int) -> tuple[float, float]:
    """Test loss differences (n,), forecast minus benchmark; forecasts `horizon` steps ahead overlap.

    The variance takes the autocovariances up to `horizon` - 1; where that estimate is not positive, Bartlett's
    weights make it so. Harvey, Leybourne and Newbold's correction, Student t with n - 1 degrees of freedom.
    (NaN, NaN) unless n > `horizon` and the differences vary.
    Sources: Diebold and Mariano (1995), Comparing Predictive Accuracy; Harvey, Leybourne and Newbold (1997),
    Testing the Equality of Prediction Mean Squared Errors.
    """
    from scipy.special import stdtr

    count = len(differences)
    if count <= horizon or count < 2:
        return math.nan, math.nan
    variance = overlap_variance(differences, horizon) / count
    if variance <= 0:
        return math.nan, math.nan
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    statistic = float(differences.mean() / math.sqrt(variance) * math.sqrt(correction))
    return statistic, float(stdtr(count - 1, statistic))
