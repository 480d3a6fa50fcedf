"""Claims over many e-values: the e-Benjamini-Hochberg rule.

Among the claims of this rule the expected share of false ones is at most LEVEL, however the e-values depend on each
other. Source: Wang and Ramdas (2022), False Discovery Rate Control with E-values.
"""

import numpy as np
from numpy.typing import ArrayLike

from zenith_core.arrays import Bools

LEVEL = 0.05  # the expected share of false claims


def discovered(log_e_values: ArrayLike) -> Bools:
    """Return True for each claim that is made: the k largest of n, for the most k that are all at least n / k / LEVEL.

    log_e_values: (n,), of all forecasts that are looked at, discovered or not
    """
    values = np.asarray(log_e_values, dtype=float)
    claims: Bools = values >= threshold(values)
    return claims


def required(log_e_values: ArrayLike) -> float:
    """Return the e-value that a further claim needs: n / (k + 1) / LEVEL, after k claims."""
    values = np.asarray(log_e_values, dtype=float)
    claims = int(discovered(values).sum())
    return len(values) / min(claims + 1, len(values)) / LEVEL


def threshold(log_e_values: ArrayLike) -> float:
    """Return the log e-value from which on claims are made; infinite if there are none."""
    values = np.asarray(log_e_values, dtype=float)
    falling = np.sort(values)[::-1]
    thresholds = np.log(len(values) / LEVEL / np.arange(1, len(values) + 1))
    enough = np.flatnonzero(falling >= thresholds)
    return float(thresholds[enough[-1]]) if len(enough) else np.inf
