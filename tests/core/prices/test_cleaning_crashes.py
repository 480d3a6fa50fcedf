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


SQUEEZE = (57.4, 27.1, -11.2, 10.9, -0.6, 10.0, 51.1, 18.1, 92.7, 134.8, -44.3, 67.9, -30.8, -60.0, 2.7, -42.1, 19.2)
"""A short squeeze from 2021-01-13 on, percent, close to close: yfinance's repair made a split of its peak (#2660)."""


@pytest.mark.parametrize("is_adjusted", [True, False], ids=["adjusted for the later split", "as traded"])
@pytest.mark.parametrize("width", [0.002, 0.3], ids=["narrow days", "wide days"])
def test_no_split_is_invented_where_a_squeeze_comes_before_a_real_one(is_adjusted, width):
    sessions = sessions_between(exchange_of("TEST"), date(2020, 1, 1), date(2022, 12, 31))
    returns = 0.02 * np.random.default_rng(2660).standard_normal(len(sessions))
    start, split = sessions.get_loc("2021-01-13"), sessions.get_loc("2022-07-22")
    returns[start : start + len(SQUEEZE)] = np.log1p(np.array(SQUEEZE) / 100)
    close = 5 * np.exp(np.cumsum(returns))
    open_ = np.append(5.0, close[:-1])
    volume = 1e7 * (1 + 20 * np.abs(returns))
    as_traded = np.where((np.arange(len(close)) < split) & (not is_adjusted), 4.0, 1.0)
    bars = {
        "open": open_,
        "high": np.maximum(open_, close) * (1 + width),
        "low": np.minimum(open_, close) / (1 + width),
    }
    prices = {name: values * as_traded for name, values in {**bars, "close": close}.items()}
    raw = pd.DataFrame({**prices, "volume": volume / as_traded, "dividends": 0.0, "splits": 0.0}, index=sessions)
    raw.loc[sessions[split], "splits"] = 4.0

    result = clean_prices(raw, "TEST", now=datetime(2023, 1, 9, tzinfo=UTC))

    np.testing.assert_allclose(result.prices["close"], close)
    assert result.counts["splits_repaired"] == 0
    assert (result.counts["splits_applied"], result.counts["splits_in_prices"]) == (
        int(not is_adjusted),
        int(is_adjusted),
    )
    assert not result.prices["suspect"].any()
