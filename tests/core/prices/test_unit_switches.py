"""A lasting hundredfold change of the close is another unit, not a move."""

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices.cleaning import clean_prices
from zenith_core.prices.unit_switches import unit_switch

SESSIONS = sessions_between(exchange_of("AAPL"), pd.Timestamp(2014, 1, 2).date(), pd.Timestamp(2015, 1, 1).date())


def walk(scale=1.0):
    close = 50 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, len(SESSIONS))))
    return close * scale


def rows(close, **columns):
    prices = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1e6}
    return pd.DataFrame({**prices, **columns}, index=SESSIONS)


@pytest.mark.parametrize(("factor", "text"), [(100, "×100"), (0.01, "÷100"), (1000, "×1000"), (0.001, "÷1000")])
def test_a_change_of_unit_is_refused_with_its_date(factor, text):
    close = walk(np.where(np.arange(len(SESSIONS)) < 100, 1, factor))
    with pytest.raises(
        InvalidPrices, match=rf"AAPL: the close changes {text} on {SESSIONS[100]:%Y-%m-%d}, which looks"
    ):
        clean_prices(rows(close), "AAPL")


def test_a_change_in_the_last_row_is_refused():
    close = walk()
    close[-1] *= 100
    assert unit_switch(close) == (len(close) - 1, 100.0)


def test_one_row_in_another_unit_is_an_error_of_the_source_and_many_are_not():
    close = walk()
    close[50] *= 100
    assert unit_switch(close) is None
    close[[60, 70]] *= 100
    assert unit_switch(close) == (50, 100.0)


def test_two_rows_in_another_unit_are_refused():
    close = walk()
    close[50:52] /= 1000
    assert unit_switch(close) == (50, 0.001)


def test_a_recorded_split_and_a_crash_are_no_change_of_unit():
    late = np.arange(len(SESSIONS)) >= 100
    splits = np.where(np.arange(len(SESSIONS)) == 100, 100.0, 0.0)
    cleaned = clean_prices(rows(walk(np.where(late, 0.01, 1)), splits=splits), "AAPL")
    assert cleaned.counts["splits_applied"] == 1
    assert unit_switch(walk(np.where(late, 0.05, 1))) is None
