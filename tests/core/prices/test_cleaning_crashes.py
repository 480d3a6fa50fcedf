"""Crashes are data: daily moves of the S&P 500 as they were, in a market that was quiet before."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices.cleaning import clean_prices

CRASHES = {  # percent, close to close, session after session from the date on
    "1987-10-14": (-2.95, -2.34, -5.16, -20.47, 5.33, 9.10, -3.92, 0.0, -8.28),
    "2020-02-24": (
        *(-3.35, -3.03, -0.38, -4.42, -0.82),
        *(4.60, -2.81, 4.22, -3.39, -1.71),
        *(-7.60, 4.94, -4.89, -9.51, 9.29),
        *(-11.98, 6.00, -5.18),
    ),
}


@pytest.mark.parametrize("first", CRASHES)
@pytest.mark.parametrize("leverage", [1.0, 2.0], ids=["index", "a stock that moves twice as far"])
def test_a_crash_is_kept_as_it_was(first, leverage):
    year = int(first[:4])
    sessions = sessions_between(exchange_of("TEST"), date(year - 1, 6, 1), date(year, 12, 31))
    random = np.random.default_rng(year)
    returns = 0.008 * random.standard_normal(len(sessions))
    start = sessions.get_loc(first)
    moves = np.log1p(leverage * np.array(CRASHES[first]) / 100)
    returns[start : start + len(moves)] = moves
    close = 100 * np.exp(np.cumsum(returns))
    open_ = np.append(100.0, close[:-1])
    raw = pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) * 1.002,
            "low": np.minimum(open_, close) / 1.002,
            "close": close,
            "volume": 1e6 * (1 + 40 * np.abs(returns)),  # volume rises with the move
        },
        index=sessions,
    )

    result = clean_prices(raw, "TEST", now=datetime(2022, 1, 1, tzinfo=UTC))

    pd.testing.assert_series_equal(result.prices["close"], raw["close"], check_names=False, check_freq=False)
    assert not result.prices[["flat", "carried", "suspect"]].any(axis=None)
    assert len(result.quarantine) == 0
    assert result.counts["splits_repaired"] == 0
