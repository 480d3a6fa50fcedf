"""The out-of-sample record of value at risk, expected shortfall and volatility: tests and scores. Pure functions.

Losses are positive shares of the last close, as in value_at_risk.py. Rows are consecutive forecast origins; a row with
NaN must be left out before. Forecasts over several sessions overlap, and overlapping hits are dependent by
construction: the tests are for rows at least one horizon apart (`hits[::horizon]`), the mean scores for all rows.

Sources: Kupiec (1995), Techniques for Verifying the Accuracy of Risk Measurement Models; Christoffersen (1998),
Evaluating Interval Forecasts; Fissler and Ziegel (2016), Higher Order Elicitability and Osband's Principle; Patton,
Ziegel and Chen (2019), Dynamic Semiparametric Models for Expected Shortfall (and Value-at-Risk); Patton (2011),
Volatility Forecast Comparison Using Imperfect Volatility Proxies.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from zenith_core.arrays import Bools, Floats
from zenith_core.statistics.performance import finite

MIN_TEST_ROWS = 50
"""Fewer rows have no test in a record: chi-squared is their distribution in large samples only."""


class LikelihoodRatio(NamedTuple):
    """A likelihood ratio statistic and its p-value, chi-squared with one degree of freedom. NaN where undefined."""

    statistic: float
    p_value: float


class NormalRisk(NamedTuple):
    """Value at risk and expected shortfall of normal log returns, (n,) each: the EWMA baseline."""

    value_at_risk: Floats
    expected_shortfall: Floats


def hits(losses: Floats, value_at_risk: Floats) -> Bools:
    """Return the rows whose loss is above the value at risk, (n,)."""
    above: Bools = losses > value_at_risk
    return above


def kupiec_test(hits: Bools, tail: float) -> LikelihoodRatio:
    """Test that the share of `hits` (n,) is `tail`: Kupiec's unconditional coverage (proportion of failures).

    NaN without rows.
    """
    if not len(hits):
        return LikelihoodRatio(math.nan, math.nan)
    count = int(np.count_nonzero(hits))
    misses, share = len(hits) - count, count / len(hits)
    return _ratio(_log_likelihood(count, misses, tail), _log_likelihood(count, misses, share))


def independence_test(hits: Bools) -> LikelihoodRatio:
    """Test that a hit is as likely after a hit as after none: Christoffersen's first-order Markov alternative.

    Over the n - 1 pairs of successive rows of `hits` (n,). NaN unless there are pairs that begin with a hit and pairs
    that begin with none.
    """
    before, after = hits[:-1], hits[1:]
    hit_hit, hit_miss = int(np.sum(before & after)), int(np.sum(before & ~after))
    miss_hit, miss_miss = int(np.sum(~before & after)), int(np.sum(~before & ~after))
    after_hit, after_miss = hit_hit + hit_miss, miss_hit + miss_miss
    if not after_hit or not after_miss:
        return LikelihoodRatio(math.nan, math.nan)
    all_hits, all_misses = hit_hit + miss_hit, hit_miss + miss_miss
    dependent = _log_likelihood(miss_hit, miss_miss, miss_hit / after_miss)
    dependent += _log_likelihood(hit_hit, hit_miss, hit_hit / after_hit)
    return _ratio(_log_likelihood(all_hits, all_misses, all_hits / (all_hits + all_misses)), dependent)


def fz0_loss(losses: Floats, value_at_risk: Floats, expected_shortfall: Floats, tail: float) -> Floats:
    """Return the joint loss of value at risk and expected shortfall, (n,): smaller is better.

    Patton, Ziegel and Chen's FZ0, the loss of Fissler and Ziegel's class whose differences do not depend on the unit.
    With their returns y = -loss, v = -VaR and e = -ES: -[y <= v](v - y) / (tail e) + v / e + log(-e) - 1.
    NaN unless 0 < VaR <= ES.
    """
    is_valid = (value_at_risk > 0) & (expected_shortfall >= value_at_risk)
    shortfall = np.where(is_valid, expected_shortfall, np.nan)
    excess = np.maximum(losses - value_at_risk, 0)
    loss: Floats = excess / (tail * shortfall) + value_at_risk / shortfall + np.log(shortfall) - 1
    return loss


def qlike_loss(realized_variance: Floats, variance: Floats) -> Floats:
    """Return the QLIKE loss of a forecast of `variance` (n,): ratio - log(ratio) - 1 with ratio = realized / forecast.

    0 for a perfect forecast. It ranks forecasts rightly though `realized_variance` is a noisy proxy, such as the sum of
    squared daily returns. NaN where either is not positive.
    """
    are_positive = (realized_variance > 0) & (variance > 0)
    ratio = np.where(are_positive, realized_variance, np.nan) / np.where(are_positive, variance, np.nan)
    loss: Floats = ratio - np.log(ratio) - 1
    return loss


def normal_risk(volatility: Floats, tail: float) -> NormalRisk:
    """Return the risk of log returns that are normal with mean 0 and standard deviation `volatility` (n,)."""
    normal = NormalDist()
    quantile = normal.inv_cdf(tail)
    return NormalRisk(-np.expm1(quantile * volatility), -np.expm1(-normal.pdf(quantile) / tail * volatility))


def risk_record(
    losses: Floats,
    value_at_risk: Floats,
    expected_shortfall: Floats,
    ewma_volatility: Floats,
    *,
    tail: float,
    horizon: int,
) -> dict[str, float | int | None]:
    """Return the record of one tail over `horizon` sessions, JSON-ready; None where a figure is undefined.

    ewma_volatility:  (n,) of the log return over the horizon: the baseline, with normal tails

    rows and hits are of all origins; the tests are of those one horizon apart, and None below MIN_TEST_ROWS of them.
    `fz0_gain` is EWMA's mean loss minus this one's: positive is better.
    """
    above = hits(losses, value_at_risk)
    apart = above[::horizon]
    is_enough = len(apart) >= MIN_TEST_ROWS
    baseline = normal_risk(ewma_volatility, tail)
    own, other = (fz0_loss(losses, var, es, tail) for var, es in ((value_at_risk, expected_shortfall), tuple(baseline)))
    both = np.isfinite(own) & np.isfinite(other)
    return {
        "tail": tail,
        "horizon": horizon,
        "rows": len(losses),
        "hits": int(above.sum()),
        "hit_rate": finite(above.mean()) if len(above) else None,
        "kupiec_p": finite(kupiec_test(apart, tail).p_value) if is_enough else None,
        "independence_p": finite(independence_test(apart).p_value) if is_enough else None,
        "fz0": _mean(own[both]),
        "fz0_ewma": _mean(other[both]),
        "fz0_gain": _mean(other[both] - own[both]),
    }


def volatility_record(
    realized_variance: Floats, volatility: Floats, ewma_volatility: Floats
) -> dict[str, float | int | None]:
    """Return the mean QLIKE of a volatility (n,) beside EWMA's on the same rows, JSON-ready.

    `qlike_skill` is 1 - the ratio of the two: positive is better.
    """
    own, other = qlike_loss(realized_variance, volatility**2), qlike_loss(realized_variance, ewma_volatility**2)
    both = np.isfinite(own) & np.isfinite(other)
    qlike, baseline = _mean(own[both]), _mean(other[both])
    return {
        "rows": int(both.sum()),
        "qlike": qlike,
        "qlike_ewma": baseline,
        "qlike_skill": finite(1 - qlike / baseline) if qlike is not None and baseline else None,
    }


def _log_likelihood(hits: int, misses: int, probability: float) -> float:
    """Return the log likelihood of independent hits; 0 log 0 is 0."""
    return (hits * math.log(probability) if hits else 0.0) + (misses * math.log1p(-probability) if misses else 0.0)


def _ratio(null: float, alternative: float) -> LikelihoodRatio:
    from scipy.special import chdtrc

    statistic = max(2 * (alternative - null), 0.0)
    return LikelihoodRatio(statistic, float(chdtrc(1, statistic)))


def _mean(values: Floats) -> float | None:
    return finite(values.mean()) if len(values) else None
