"""Sigmoid calibration of class probabilities, fitted on out-of-sample predictions.

p = softmax(slope * log q + intercepts), with q the probabilities of the model. It is Platt scaling for several classes:
one slope, as in temperature scaling, and an intercept for each class. A slope of 0 gives the base rates for every q.
Sources: Platt (1999), Probabilistic Outputs for Support Vector Machines; Guo et al. (2017), On Calibration of Modern
Neural Networks.
"""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, AnyInts, Floats
from zenith_core.errors import TrainingError
from zenith_core.features.targets import BUY, SELL
from zenith_core.statistics.diebold_mariano import loss_test

MIN_PROBABILITY = 1e-6  # floor of the logarithm: a forest may output 0
_SCALINGS = 100  # far more than needed at real slopes
_STEEPEST = 10.0  # for perfectly separated classes the best slope is infinite


@dataclass(frozen=True)
class Calibrator:
    """p = softmax(slope * log q + intercepts), for q (n, classes); `intercepts` (classes,)."""

    slope: float
    intercepts: tuple[float, ...]

    def __call__(self, probabilities: AnyFloats) -> Floats:
        """Return calibrated probabilities (n, classes), each row adding up to 1."""
        return _softmax(self.slope * _logarithm(probabilities) + np.array(self.intercepts))


def fit_calibrator(probabilities: AnyFloats, labels: AnyInts, base_rates: Floats, horizon: int) -> Calibrator:
    """Fit on out-of-sample `probabilities` (n, classes) of consecutive sessions and their outcomes, `labels` (n,).

    The maximum-likelihood slope, at least 0, is shrunk by 1 - 1/t^2 (to 0 below t = 1), with t of `information_test`:
    the share of the squared slope that its own error does not explain (empirical Bayes). So noise gets about 0. The
    intercepts then make the mean output equal `base_rates` (classes,), the frequencies of all known labels. Without
    rows the slope is 0. Raises TrainingError if a class has a base rate of 0.
    """
    if not (base_rates > 0).all():
        raise TrainingError(f"base rates {np.round(base_rates, 3).tolist()}: a class that never occurs has no odds")
    logs = _logarithm(probabilities)
    statistic, _ = information_test(probabilities, labels, horizon)
    shrink = 1 - 1 / statistic**2 if statistic > 1 else 0.0
    slope = shrink * _likeliest_slope(logs, labels) if shrink else 0.0
    return Calibrator(slope, tuple(_matching_intercepts(slope * logs, base_rates).tolist()))


def information_test(probabilities: AnyFloats, labels: AnyInts, horizon: int) -> tuple[float, float]:
    """Test if probabilities (n, classes) of consecutive sessions have information on their outcomes, `labels` (n,).

    Returns (t, p), p one-sided: the score test of a calibrator's slope of 0, on each row's sum over the classes of
    (outcome - frequency) * (log probability - its mean), with the long-run variance of outcomes that overlap for
    `horizon` sessions (`loss_test`). It tests information only, so an informed but overconfident model passes, unlike
    one with a smaller Brier score by luck. (0, 1) where it is undefined.
    """
    logs = _logarithm(probabilities)
    return _association(np.eye(logs.shape[1])[labels], logs, horizon)


def direction_test(probabilities: AnyFloats, labels: AnyInts, horizon: int) -> tuple[float, float]:
    """Test if probabilities (n, 3) in the order of SIGNALS have information on the direction of `labels` (n,).

    A model of the size of moves, but not of their direction, knows how likely "hold" is: that is information, but no
    reason to buy or sell. So this is `information_test` of buy against sell alone: (t, p) of the association of
    (label is buy) - (label is sell) with log(buy / sell).
    """
    logs = _logarithm(probabilities)
    leaning = logs[:, [BUY]] - logs[:, [SELL]]
    direction = (labels == BUY).astype(float) - (labels == SELL)
    return _association(direction[:, np.newaxis], leaning, horizon)


def _association(outcomes: Floats, answers: Floats, horizon: int) -> tuple[float, float]:
    """Return t and the one-sided p of the summed covariances of the columns (n, k) of both; (0, 1) if undefined."""
    if not len(outcomes):
        return 0.0, 1.0
    gains = ((outcomes - outcomes.mean(axis=0)) * (answers - answers.mean(axis=0))).sum(axis=1)
    statistic, p_value = loss_test(-gains, horizon)
    return (-statistic, p_value) if np.isfinite(statistic) else (0.0, 1.0)


def class_frequencies(labels: AnyInts, classes: int) -> Floats:
    """Return the share of each class in `labels` (n,), counted from 1 each (Laplace): (classes,), none of them 0."""
    counts = 1.0 + np.bincount(labels, minlength=classes)
    frequencies: Floats = counts / counts.sum()
    return frequencies


def _likeliest_slope(logs: Floats, labels: AnyInts) -> float:
    """Return the maximum-likelihood slope, 0 to _STEEPEST.

    One row of each class is added at the mean of `logs` (Platt's correction), so that no intercept diverges.
    """
    from scipy.optimize import minimize

    classes = logs.shape[1]
    inputs = np.vstack([logs - logs.mean(axis=0), np.zeros((classes, classes))])
    outcomes = np.eye(classes)[np.append(labels, np.arange(classes))]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        answers = _softmax(parameters[0] * inputs + parameters[1:])
        excess = (answers - outcomes) / len(outcomes)
        likelihood = np.log(np.maximum((answers * outcomes).sum(axis=1), MIN_PROBABILITY**2))
        return -float(likelihood.mean()), np.append((excess * inputs).sum(), excess.sum(axis=0))

    bounds = [(0.0, _STEEPEST), *[(None, None)] * classes]
    start = np.append(1.0, np.zeros(classes))
    solution = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-12})
    return float(solution.x[0])


def _matching_intercepts(scores: Floats, base_rates: Floats) -> Floats:
    """Return the intercepts for which softmax(scores + intercepts) has the mean `base_rates`, by iterative scaling."""
    intercepts: Floats = np.log(base_rates)
    if not len(scores):
        return intercepts
    for _ in range(_SCALINGS):
        mean = _softmax(scores + intercepts).mean(axis=0)
        intercepts += np.log(base_rates / mean)
    return intercepts


def _logarithm(probabilities: AnyFloats) -> Floats:
    logs: Floats = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), MIN_PROBABILITY))
    return logs


def _softmax(scores: Floats) -> Floats:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax: Floats = shares / shares.sum(axis=1, keepdims=True)
    return softmax
