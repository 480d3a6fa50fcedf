import pandas as pd
import pytest

from tests.core.markets import random_prices
from zenith_core.errors import NotAvailable
from zenith_core.features.declaration import OwnFeature
from zenith_pipelines.datasets.other_prices import data_versions, other_prices
from zenith_pipelines.datasets.store import Dataset, DatasetStore

PRICES = random_prices(60)
SESSIONS = pd.DatetimeIndex(PRICES.index)


def spread(prices, others):
    return prices["close"] - others["SPY"]["close"]


FEATURE = OwnFeature("spread", "a test", -1, 1, warm_up=1, compute=spread, tickers=("SPY",))


@pytest.fixture
def store(tmp_path):
    return DatasetStore(str(tmp_path))


def store_spy(store, prices):
    store.write("cleaned_prices", "SPY", Dataset({"prices": prices}, {"data_version": "d7"}))


def test_prices_are_read_for_the_features_that_name_them(store):
    store_spy(store, PRICES)

    others = other_prices(store, "7203.T", SESSIONS, [FEATURE])

    assert len(others.until(SESSIONS[-1])["SPY"]) == len(PRICES) - 1  # New York closes after Tokyo
    assert data_versions(store, others) == {"SPY": "d7"}
    assert other_prices(store, "7203.T", SESSIONS) is None


@pytest.mark.slow
def test_missing_prices_and_prices_that_end_too_early_are_one_line_with_the_remedy(store):
    with pytest.raises(NotAvailable, match="prices of SPY, and there are none: `zenith run --tickers SPY` makes them"):
        other_prices(store, "7203.T", SESSIONS, [FEATURE])
    store_spy(store, PRICES.iloc[:-1])
    assert other_prices(store, "7203.T", SESSIONS, [FEATURE])  # the last session of Tokyo ends before New York's
    store_spy(store, PRICES.iloc[:-2])

    ends, due = f"{SESSIONS[-3]:%Y-%m-%d}", f"{SESSIONS[-2]:%Y-%m-%d}"
    with pytest.raises(NotAvailable, match=f"prices of SPY, which end on {ends} and not on {due}: `zenith run"):
        other_prices(store, "7203.T", SESSIONS, [FEATURE])
