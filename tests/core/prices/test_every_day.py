"""Rows of every day of the week belong to a cryptocurrency, not to a stock."""

import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices
from zenith_core.prices.cleaning import clean_prices


def rows(frequency):
    index = pd.date_range("2024-01-01", periods=200, freq=frequency)
    return pd.DataFrame({"open": 1.5, "high": 2.0, "low": 1.0, "close": 1.5, "volume": 1e6}, index=index)


def test_a_stock_with_rows_on_weekends_is_refused_by_name():
    with pytest.raises(InvalidPrices, match=r"IBM: 56 of 200 rows are on weekends, when XNYS is closed; .* BTC-USD"):
        clean_prices(rows("D"), "IBM", from_file=True)


def test_a_cryptocurrency_has_them_and_a_few_days_off_are_quarantined():
    assert clean_prices(rows("D"), "BTC-USD", from_file=True).counts["sessions"] == 200
    assert clean_prices(rows("B"), "IBM", from_file=True).counts["quarantined"] > 0
