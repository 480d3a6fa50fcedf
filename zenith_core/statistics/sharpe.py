"""Evidence for a Sharpe ratio: its interval, and the probability that it is above 0 or above the best of many by luck.

`returns` are (n,) simple daily returns. Sharpe ratios are per session, mean over standard deviation, unless called
annual; figures that the returns do not define (no spread, too few) are None.
Sources: Bailey and López de Prado, The Sharpe Ratio Efficient Frontier (2012) and The Deflated Sharpe Ratio (2014);
Politis and Romano, The Stationary Bootstrap (1994); Ledoit and Wolf, Robust Performance Hypothesis Testing with the
Sharpe Ratio (2008), for the test against a benchmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from zenith_core.arrays import Floats, Ints
from zenith_core.statistics.performance import SESSIONS_PER_YEAR, daily_returns, finite

LEVEL = 0.9  # of the interval; each end is exceeded by chance in 1 case of 20
RESAMPLES = 1000
_SEED = 20140731
_NORMAL = NormalDist()
_EULER = float(np.euler_gamma)
_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class ReturnMoments:
    """Moments of returns: Sharpe ratio, number, skewness, and kurtosis (3 for normal returns)."""

    sharpe: float
    sessions: int
    skewness: float = 0.0
    kurtosis: float = 3.0


def return_moments(returns: Floats) -> ReturnMoments | None:
    """Return the moments of `returns`; None without spread."""
    sharpe = float(_sharpes(returns)) if len(returns) else np.nan
    if not np.isfinite(sharpe):
        return None
    z = (returns - returns.mean()) / returns.std()
    return ReturnMoments(sharpe, len(returns), float((z**3).mean()), float((z**4).mean()))


def probabilistic_sharpe(of: ReturnMoments, benchmark: float = 0.0) -> float | None:
    """Return the probability that the true Sharpe ratio is above `benchmark`, given length, skewness and fat tails."""
    variance = 1 - of.skewness * of.sharpe + (of.kurtosis - 1) / 4 * of.sharpe**2
    if variance <= _NO_SPREAD:
        return None
    return _NORMAL.cdf((of.sharpe - benchmark) * sqrt((of.sessions - 1) / variance))


def expected_best_sharpe(trials: float, variance: float) -> float:
    """Return the expected best Sharpe ratio of so many independent trials without skill and this variance of ratios."""
    if trials < 2:
        return 0.0
    few, more = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * e))
    return sqrt(variance) * ((1 - _EULER) * few + _EULER * more)


def deflated_sharpe(of: ReturnMoments, trials: int, variance: float) -> float | None:
    """Return the probability that the true Sharpe ratio is above `expected_best_sharpe`, which is 0 for one trial."""
    return probabilistic_sharpe(of, expected_best_sharpe(trials, variance))


def stationary_bootstrap(sessions: int, block: float, random: np.random.Generator) -> Ints:
    """Resample positions of a series: blocks of geometric length, on average `block`, wrapped around. (sessions,)"""
    starts, at = random.integers(sessions, size=sessions), np.arange(sessions)
    begins = random.random(sessions) < 1 / block
    begins[0] = True
    block_start = np.maximum.accumulate(np.where(begins, at, 0))
    positions: Ints = (starts[block_start] + at - block_start) % sessions
    return positions


def resampled_sharpes(returns: Floats, block: float, resamples: int = RESAMPLES, seed: int = _SEED) -> Floats:
    """Return Sharpe ratios of resampled series; the rows of `returns` (k, n) stay together in time. (k, resamples)

    NaN for a resample without spread: too few days are in the market.
    """
    random = np.random.default_rng(seed)
    sessions = returns.shape[1]
    each = [_sharpes(returns[:, stationary_bootstrap(sessions, block, random)]) for _ in range(resamples)]
    return np.stack(each, axis=1)


def percentile_interval(values: Floats) -> tuple[float, float] | None:
    """Return the middle LEVEL of `values`; None if one is NaN."""
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def excess_p_value(excess: float, samples: Floats) -> float | None:
    """Return the one-sided p-value of "the true excess is not above 0".

    The share of resampled excesses as far above the observed one as that is above 0. None if one is NaN.
    """
    if not np.isfinite(samples).all():
        return None
    return finite((1 + np.count_nonzero(samples - excess >= excess)) / (1 + len(samples)))


def sharpe_evidence(
    strategy: Floats, buy_and_hold: Floats, trials: Sequence[float], year: int = SESSIONS_PER_YEAR
) -> dict[str, dict[str, Any]]:
    """Return evidence for the Sharpe ratios of two equity curves (n,), by "strategy" and "buy_and_hold", JSON-ready.

    trials: the annual Sharpe ratios of all strategies tried, including this one
    year:   its sessions

    sharpe_low, sharpe_high: annual, the bootstrap interval of LEVEL; psr: probability that the ratio is above 0.
    For the strategy also trials, deflated_sharpe, excess_sharpe (annual, over buy-and-hold) and its p-value.
    The blocks are on average n ** (1/3) sessions long, the optimal order (Politis and White, 2004).
    """
    returns = np.stack([daily_returns(strategy), daily_returns(buy_and_hold)])
    sessions = returns.shape[1]
    samples = resampled_sharpes(returns, sessions ** (1 / 3)) if sessions else np.full((2, 1), np.nan)
    own, benchmark = return_moments(returns[0]), return_moments(returns[1])
    return {
        "strategy": {
            **_support(own, samples[0], year),
            "trials": len(trials),
            "deflated_sharpe": deflated_sharpe(own, len(trials), _variance(trials, year)) if own else None,
            **_excess(own, benchmark, samples, year),
        },
        "buy_and_hold": _support(benchmark, samples[1], year),
    }


def _support(moments: ReturnMoments | None, samples: Floats, year: int) -> dict[str, float | None]:
    interval = percentile_interval(samples)
    low, high = (sqrt(year) * end for end in interval) if interval else (None, None)
    return {"sharpe_low": low, "sharpe_high": high, "psr": probabilistic_sharpe(moments) if moments else None}


def _excess(
    own: ReturnMoments | None, benchmark: ReturnMoments | None, samples: Floats, year: int
) -> dict[str, float | None]:
    if not own or not benchmark:
        return {"excess_sharpe": None, "excess_sharpe_p_value": None}
    excess = own.sharpe - benchmark.sharpe
    p_value = excess_p_value(excess, samples[0] - samples[1])
    return {"excess_sharpe": sqrt(year) * excess, "excess_sharpe_p_value": p_value}


def _variance(annual: Sequence[float], year: int) -> float:
    """Return the variance of Sharpe ratios per session, from annual ones; 0 for fewer than two."""
    return float(np.var(annual, ddof=1)) / year if len(annual) > 1 else 0.0


def _sharpes(returns: Floats) -> Floats:
    """Return Sharpe ratios along the last axis, NaN without spread."""
    spread = returns.std(axis=-1, ddof=1) if returns.shape[-1] > 1 else np.zeros(returns.shape[:-1])
    ratios: Floats = np.where(spread > _NO_SPREAD, returns.mean(axis=-1) / np.maximum(spread, _NO_SPREAD), np.nan)
    return ratios
