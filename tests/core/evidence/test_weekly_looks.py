"""Claims over many tickers and many looks: false ones in a year without edges, and planted edges in three years.

The small form of benchmarks/claims.py, with seeds of its own.
"""

import numpy as np
import pytest

from zenith_core.evidence.discoveries import discovered
from zenith_core.evidence.e_process import MAX_STAKE, log_mean, log_wealths
from zenith_core.evidence.loss_differences import differences

TICKERS, YEAR, WEEK = 100, 252, 5
SHARPE_2 = 2 / np.sqrt(YEAR) * np.sqrt(np.pi)  # deviation of a daily expectation that earns it, long or flat
SHARE = 0.5  # of a forecast in the expectation


def losses(random, sessions, edges):
    """Return differences and bounds of forecasts whose first `edges` tickers have an edge; all others lose nothing."""
    expected = random.normal(0, SHARPE_2, (sessions, TICKERS))
    forecasts = SHARE * expected
    expected[:, edges:] = forecasts[:, edges:] / 2  # twice the expectation loses as much as no forecast does
    returns = expected + random.standard_t(4, expected.shape) / np.sqrt(2)
    return differences(forecasts, returns)


def ever_claimed(log_e_values):
    """Return True for each ticker that is claimed at any weekly look."""
    return np.array([discovered(look) for look in log_e_values[WEEK - 1 :: WEEK]]).any(axis=0)


def significant(gained):
    """Return True where a test at p < 0.05 finds the differences positive at a weekly look after the 30th outcome."""
    counts = np.arange(1, len(gained) + 1)[:, np.newaxis]
    mean = gained.cumsum(axis=0) / counts
    error = np.sqrt(((gained**2).cumsum(axis=0) / counts - mean**2) / counts)
    return (mean > 1.645 * error)[29::WEEK]


@pytest.mark.slow
def test_years_without_an_edge_have_hardly_a_false_claim_where_a_weekly_test_has_many():
    random, years = np.random.default_rng(21), 20
    ours = tests = 0
    for _ in range(years):
        gained, bounds = losses(random, YEAR, 0)
        ours += ever_claimed(log_mean(log_wealths(gained, bounds))).any()
        tests += significant(gained).any()
    assert ours <= 0.05 * years
    assert tests == years


def test_three_years_find_most_of_the_edges_that_an_oracle_bettor_finds():
    edges, random = 20, np.random.default_rng(22)
    gained, bounds = losses(random, 3 * YEAR, edges)
    ours = ever_claimed(log_mean(log_wealths(gained, bounds)))
    bet = np.minimum(1 / SHARE - 1 / 2, MAX_STAKE / bounds)  # the best for this share
    oracle = ever_claimed(np.log1p(bet * gained).cumsum(axis=0))

    assert oracle[:edges].sum() >= edges / 2
    assert ours[:edges].sum() >= 0.7 * oracle[:edges].sum()
    assert ours[edges:].mean() <= 0.05
