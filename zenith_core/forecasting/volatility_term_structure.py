"""Volatility of each horizon relative to today's EWMA: a term structure, linear in a few inputs of the newest row.

The EWMA is noisy and assumes that today's volatility lasts for ever; real volatility reverts to its mean, shows in the
day's range before the closes, and rises after a fall (Black, 1976). So for each horizon h

    E|z_h| = sqrt(2/pi) * exp(c_h . x),   z_h = return over h sessions / (EWMA volatility * sqrt h)

with x = (1, log EWMA volatility, SCALE_INPUTS). Coefficients of zero are the EWMA itself; a normal z_h with unit
variance has c_h = 0. It is a heterogeneous autoregression as in Corsi (2009), A Simple Approximate Long-Memory Model of
Realized Volatility, fitted as a gamma regression with a log link (McCullagh and Nelder, 1989, chapter 8), which is
consistent for the mean of |z_h| for any distribution (Gourieroux, Monfort and Trognon, 1984).
"""

from collections.abc import Sequence

import numpy as np

from zenith_core.arrays import AnyFloats, Floats, Ints
from zenith_core.forecasting.residual_quantiles import matured_values

SCALE_INPUTS = ("range_ratio", "return_5")  # of the model inputs; those that a feature table lacks are left out
RIDGE = 3e-3  # on all coefficients but the constant: towards the EWMA
MAX_EXPONENT = 2.0  # no input may change a band by more than a factor of e^2
MIN_TARGETS = 200  # fewer known targets at a horizon are not fitted
REFIT_EVERY = 250  # rows between fits
_ITERATIONS = 25  # scoring converges linearly, by about a digit each


def available_inputs(columns: Sequence[str]) -> tuple[str, ...]:
    """Return those of SCALE_INPUTS that are in `columns`."""
    return tuple(name for name in SCALE_INPUTS if name in columns)


def scale_inputs(values: AnyFloats, columns: Sequence[str], volatility: AnyFloats) -> Floats:
    """Return x of each row: `values` (n, columns) and daily `volatility` (n,) → (n, 2 + inputs); NaN passes through."""
    inputs = [values[:, columns.index(name)] for name in available_inputs(columns)]
    return np.column_stack([np.ones(len(values)), np.log(volatility), *inputs]).astype(np.float64)


def fit_scale(x: Floats, targets: Floats) -> Floats:
    """Fit coefficients (inputs, horizons) of `x` (n, inputs) to `targets` (n, horizons), the z_h, NaN if unknown.

    With fewer than MIN_TARGETS known targets at a horizon, or none that differ from 0, its coefficients are zero.
    Fisher scoring: the log link makes its weights 1, so that one matrix serves all steps and horizons.
    """
    is_known = np.isfinite(targets)
    size = np.where(is_known, np.abs(targets), 0.0) / np.sqrt(2 / np.pi)
    count = np.maximum(is_known.sum(axis=0), 1)
    mean = size.sum(axis=0) / count
    has_fit = (is_known.sum(axis=0) >= MIN_TARGETS) & (mean > 0)
    coefficients = np.zeros((x.shape[1], targets.shape[1]))
    if not has_fit.any():
        return coefficients
    coefficients[0] = np.log(np.where(has_fit, mean, 1.0))
    penalty = np.diag([0.0, *[RIDGE] * (x.shape[1] - 1)])
    information = x.T @ x / len(x) + penalty
    for _ in range(_ITERATIONS):
        surprise = np.where(is_known, size * np.exp(-_exponent(x, coefficients)) - 1, 0.0)
        gradient = x.T @ surprise / count - penalty @ coefficients
        coefficients += np.where(has_fit, np.linalg.solve(information, gradient), 0.0)
    return coefficients


def stretch(x: Floats, coefficients: Floats) -> Floats:
    """Return the factor of EWMA volatility * sqrt(h) for each scale, (n, horizons); 1 for zero coefficients."""
    return np.asarray(np.exp(_exponent(x, coefficients)), dtype=np.float64)


def walk_forward_stretch(x: Floats, targets: Floats, rows: Ints) -> Floats:
    """The stretch of each row by coefficients fitted to targets that were known before its block of REFIT rows.

    `x` (n, inputs) and `targets` (n, horizons) belong to the consecutive sessions `rows` (n,). In the first
    block it is 1, the EWMA, because there are no targets to fit.
    """
    stretches = np.ones(targets.shape)
    for start in range(REFIT_EVERY, len(rows), REFIT_EVERY):
        block = slice(start, start + REFIT_EVERY)
        past = matured_values(targets[:start], rows[:start], int(rows[start]))
        stretches[block] = stretch(x[block], fit_scale(x[:start], past))
    return stretches


def _exponent(x: Floats, coefficients: Floats) -> Floats:
    return np.clip(x @ coefficients, -MAX_EXPONENT, MAX_EXPONENT)
