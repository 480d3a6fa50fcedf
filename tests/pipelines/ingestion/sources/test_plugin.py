"""A third-party source: one class and one entry in the table, without changes to our code."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from zenith_core.errors import UnknownTicker, UserError
from zenith_core.prices.cleaning import clean_prices
from zenith_pipelines.ingestion.sources import SOURCES, RawPrices, make_source
from zenith_pipelines.ingestion.sources.defaults import default_tickers

CLOSES = pd.Series([10.0, 11.0, 12.0], index=pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"], name="date"))


class VendorSource:
    """Implements `PriceSource` without inheriting anything."""

    name = "vendor"

    def __init__(self, folder):
        self.folder = folder

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        if not self.offers(ticker):
            raise UnknownTicker(f"vendor has no {ticker}; it has ACME")
        closes = CLOSES if since is None else CLOSES[CLOSES.index >= pd.Timestamp(since)]
        prices = pd.DataFrame({name: closes for name in ("open", "high", "low", "close")})
        prices = prices.assign(volume=1000.0, dividends=0.0, splits=0.0)
        return RawPrices(prices, self.name, "vendorlib 2.1", datetime(2024, 1, 5, tzinfo=UTC), "USD")

    def offers(self, ticker: str) -> bool:
        return ticker == "ACME"

    def tickers(self) -> list[str]:
        return ["ACME"]


@pytest.fixture
def vendor(monkeypatch, tmp_path):
    monkeypatch.setitem(SOURCES, "vendor", lambda options: VendorSource(options.csv_dir))
    return make_source("vendor", csv_dir=tmp_path)


def test_one_entry_in_the_table_adds_a_source(vendor, tmp_path):
    assert isinstance(vendor, VendorSource)
    assert vendor.folder == tmp_path


def test_its_prices_are_hashed_and_cleaned_like_all_others(vendor):
    raw = vendor.fetch("ACME")
    cleaned = clean_prices(raw.prices, "ACME", now=raw.fetched_at)
    assert cleaned.prices["close"].tolist() == [10.0, 11.0, 12.0]
    assert raw.content_hash == vendor.fetch("ACME").content_hash
    assert raw.content_hash != vendor.fetch("ACME", since=date(2024, 1, 3)).content_hash


def test_a_run_without_tickers_takes_all_of_its_tickers(vendor):
    assert default_tickers(vendor) == ["ACME"]


def test_its_errors_pass_unchanged(vendor):
    with pytest.raises(UnknownTicker, match="vendor has no AAPL; it has ACME"):
        vendor.fetch("AAPL")


@pytest.mark.usefixtures("vendor")
def test_the_error_for_an_unknown_source_lists_it():
    with pytest.raises(UserError, match="'other'; there are csv, http, sample, simulated, vendor, yahoo"):
        make_source("other")
