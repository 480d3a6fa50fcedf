"""The best of the backtests of all tickers and kinds: the Sharpe ratio that it would have by luck.

Many trials that move together are as good as few independent ones. Of M trials with the mean correlation r there are
r + (1 - r) M independent ones: M if r is 0, one if it is 1. The best of them is deflated as in `sharpe`.
Source: Bailey and López de Prado, The Deflated Sharpe Ratio (2014), appendix 3 for the independent trials.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from zenith_core.arrays import Floats
from zenith_core.statistics.sharpe import ReturnMoments, expected_best_sharpe, probabilistic_sharpe

MIN_PERIODS = 12  # of a series that takes part in the correlation


@dataclass(frozen=True)
class Selection:
    """All trials among which a backtest could be chosen; Sharpe ratios are annual.

    correlation:  the mean one of two backtests, at least 0
    variance:     of the trials' Sharpe ratios
    """

    trials: int
    correlation: float
    variance: float

    @property
    def independent(self) -> float:
        """The number of independent trials."""
        return independent_trials(self.trials, self.correlation)

    @property
    def expected_best(self) -> float:
        """The expected best Sharpe ratio of so many trials without skill."""
        return expected_best_sharpe(self.independent, self.variance)

    def deflated(self, of: ReturnMoments, year: int) -> float | None:
        """Return the probability that the true Sharpe ratio is above `expected_best`. A `year` is so many sessions."""
        return probabilistic_sharpe(of, self.expected_best / sqrt(year))


def independent_trials(trials: int, correlation: float) -> float:
    """Return the number of independent trials among `trials` with this mean correlation."""
    return correlation + (1 - correlation) * trials


def mean_correlation(series: Iterable[Mapping[str, float]]) -> float:
    """Return the mean correlation of two of the series, each pair weighted by its common periods; 0 if negative.

    series:  returns by period. One without spread, or with fewer than MIN_PERIODS, takes no part

    Each is standardized once over all its periods, so that a sum by period takes the place of all pairs.
    """
    sums, squares, counts = defaultdict[str, float](float), defaultdict[str, float](float), defaultdict[str, int](int)
    for returns in series:
        values = np.array([*returns.values()], dtype=float)
        if len(values) < MIN_PERIODS or not values.std() > 0:
            continue
        scores: Floats = (values - values.mean()) / values.std()
        for period, score in zip(returns, scores.tolist(), strict=True):
            sums[period] += score
            squares[period] += score**2
            counts[period] += 1
    products = sum(sums[period] ** 2 - squares[period] for period in sums)
    pairs = sum(count * (count - 1) for count in counts.values())
    return min(max(products / pairs, 0.0), 1.0) if pairs else 0.0
