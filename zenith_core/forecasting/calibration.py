"""Probabilities that mean what they say: a sigmoid calibrator, fitted on predictions for rows the model had not seen.

p = softmax(slope * log q + intercepts), with q what the model says. It is Platt scaling for several classes: one slope,
as in temperature scaling, and an intercept for each class. A slope of 0 answers the base rates whatever the model says.
Sources: Platt (1999), Probabilistic Outputs for Support Vector Machines; Guo et al. (2017), On Calibration of Modern
Neural Networks.
"""

from dataclasses import dataclass

import numpy as np

from zenith_core.arrays import AnyFloats, AnyInts, Floats
from zenith_core.errors import TrainingError
from zenith_core.features.targets import BUY, SELL
from zenith_core.statistics.diebold_mariano import loss_test

MIN_PROBABILITY = 1e-6  # in the logarithm: a forest may say 0
_SCALINGS = 100  # far more than it takes at the slopes that occur
_STEEPEST = 10.0  # the slope of classes that the model separates perfectly has no end


@dataclass(frozen=True)
class Calibrator:
    """p = softmax(slope * log q + intercepts), for q (n, classes); `intercepts` (classes,)."""

    slope: float
    intercepts: tuple[float, ...]

    def __call__(self, probabilities: AnyFloats) -> Floats:
        """Calibrated probabilities (n, classes), each row adding up to 1."""
        return _softmax(self.slope * _logarithm(probabilities) + np.array(self.intercepts))


def fit_calibrator(probabilities: AnyFloats, labels: AnyInts, base_rates: Floats, horizon: int) -> Calibrator:
    """Fit on out-of-sample `probabilities` (n, classes) of consecutive sessions and what came, `labels` (n,).

    The maximum-likelihood slope, at least 0, is shrunk by 1 - 1/t^2 (to 0 below t = 1), with t of `information_test`:
    the share of the squared slope that its own error does not explain (empirical Bayes). So noise gets about 0. The
    intercepts then make the mean answer equal `base_rates` (classes,), the frequencies in all that is known. Without
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
    """Whether probabilities (n, classes) of consecutive sessions know anything of what came, `labels` (n,).

    Returns (t, p), p one-sided: the score test of a calibrator's slope of 0, on each row's sum over the classes of
    (outcome - frequency) * (log probability - its mean), with the long-run variance of outcomes that overlap for
    `horizon` sessions (`loss_test`). It asks for information only, so a model that is right too loudly passes, unlike
    one with a smaller Brier score by luck. (0, 1) where it is undefined.
    """
    logs = _logarithm(probabilities)
    return _association(np.eye(logs.shape[1])[labels], logs, horizon)


def direction_test(probabilities: AnyFloats, labels: AnyInts, horizon: int) -> tuple[float, float]:
    """Whether probabilities (n, 3) in the order of SIGNALS know the direction of what came, `labels` (n,).

    Who knows how much prices will move, but not where to, knows how likely "hold" is: that is information, and no
    reason to buy or sell. So this is `information_test` of buy against sell alone: (t, p) of the association of
    (buy came) - (sell came) with log(buy / sell).
    """
    logs = _logarithm(probabilities)
    leaning = logs[:, [BUY]] - logs[:, [SELL]]
    came = (labels == BUY).astype(float) - (labels == SELL)
    return _association(came[:, np.newaxis], leaning, horizon)


def _association(outcomes: Floats, answers: Floats, horizon: int) -> tuple[float, float]:
    """t and one-sided p of the summed covariances of the columns (n, k) of both; (0, 1) where they are undefined."""
    if not len(outcomes):
        return 0.0, 1.0
    gains = ((outcomes - outcomes.mean(axis=0)) * (answers - answers.mean(axis=0))).sum(axis=1)
    statistic, p_value = loss_test(-gains, horizon)
    return (-statistic, p_value) if np.isfinite(statistic) else (0.0, 1.0)


def class_frequencies(labels: AnyInts, classes: int) -> Floats:
    """The share of each class in `labels` (n,), counted from 1 each (Laplace): (classes,), none of them 0."""
    counts = 1.0 + np.bincount(labels, minlength=classes)
    frequencies: Floats = counts / counts.sum()
    return frequencies


def _likeliest_slope(logs: Floats, labels: AnyInts) -> float:
    """The slope, 0 to _STEEPEST, of the likeliest calibrator.

    Each class is seen once more at the mean of `logs` (Platt's correction), so that no intercept runs away.
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
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-12})
    return float(found.x[0])


def _matching_intercepts(scores: Floats, base_rates: Floats) -> Floats:
    """The intercepts with which softmax(scores + intercepts) has the mean `base_rates`, by iterative scaling."""
    intercepts: Floats = np.log(base_rates)
    if not len(scores):
        return intercepts
    for _ in range(_SCALINGS):
        answered = _softmax(scores + intercepts).mean(axis=0)
        intercepts += np.log(base_rates / answered)
    return intercepts


def _logarithm(probabilities: AnyFloats) -> Floats:
    logs: Floats = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), MIN_PROBABILITY))
    return logs


def _softmax(scores: Floats) -> Floats:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax: Floats = shares / shares.sum(axis=1, keepdims=True)
    return softmax
