"""The best of the trials of all tickers: against the published example and simulations with fixed seeds."""

import numpy as np
import pytest

from tests.core.statistics.test_sharpe import PAPER
from zenith_core.statistics.selection import Selection, independent_trials, mean_correlation

VARIANCE = 0.5  # annual, of the published example


def months(values):
    return {f"month {number}": value for number, value in enumerate(values)}


def correlated(correlation, series=8, count=120, seed=3):
    random = np.random.default_rng(seed)
    common, own = random.normal(size=count), random.normal(size=(series, count))
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own


def test_the_published_example_with_100_trials_that_are_as_good_as_46():
    """Bailey and López de Prado (2014): 0.9004 with 100 independent trials, and 0.9505 with 46."""
    assert Selection(100, 0.0, VARIANCE).deflated(PAPER, 250) == pytest.approx(0.9004, abs=5e-5)
    related = Selection(100, 54 / 99, VARIANCE)
    assert related.independent == pytest.approx(46)
    assert related.deflated(PAPER, 250) == pytest.approx(0.9505, abs=5e-5)


def test_trials_that_are_all_the_same_are_one_and_unrelated_ones_are_all():
    assert (independent_trials(50, 1.0), independent_trials(50, 0.0)) == (1.0, 50.0)
    assert Selection(50, 1.0, VARIANCE).expected_best == 0


def test_the_mean_correlation_is_that_of_all_pairs():
    table = correlated(0.4)
    pairs = np.corrcoef(table)[np.triu_indices(len(table), 1)]
    assert mean_correlation(map(months, table)) == pytest.approx(pairs.mean())


def test_series_of_different_periods_are_compared_where_they_overlap():
    table = correlated(0.4, series=2, count=400)
    late = {f"month {number}": value for number, value in enumerate(table[1]) if number >= 100}
    own = np.corrcoef(table[0, 100:], table[1, 100:])[0, 1]
    assert mean_correlation([months(table[0]), late]) == pytest.approx(own, abs=0.05)


def test_series_without_spread_or_too_short_take_no_part_and_opposite_ones_count_as_unrelated():
    rows = correlated(0.4)
    alone = mean_correlation(map(months, rows))
    assert mean_correlation([*map(months, rows), months(np.zeros(120)), months(rows[0, :11])]) == alone
    assert mean_correlation([months(rows[0]), months(-rows[0])]) == 0
    assert mean_correlation([]) == 0


@pytest.mark.slow
def test_the_best_of_many_tickers_without_skill_is_rarely_above_95_percent():
    """300 sets of 40 trials of 500 sessions without skill: choosing the best one is deflated."""
    random, year = np.random.default_rng(8), 252
    misled = []
    for _ in range(300):
        returns = random.normal(0, 0.01, (40, 500))
        sharpes = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
        best = Selection(40, 0.0, float(np.var(sharpes, ddof=1)) * year)
        own = type(PAPER)(float(sharpes.max()), 500)
        misled.append((best.deflated(own, year) > 0.95, Selection(1, 0.0, 0.0).deflated(own, year) > 0.95))
    ours, alone = np.mean(misled, axis=0)
    assert ours <= 0.05
    assert alone > 0.5
