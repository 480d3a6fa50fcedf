"""The package in tests/example_source, installed: its source is used like our own, and its failures are one line."""

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.example_package import install
from zenith_core.errors import InvalidPrices, NoNewData, SourceError, UnknownTicker, UserError
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.fetch import clean_snapshot, fetch_next
from zenith_pipelines.ingestion.sources import RawPrices, make_source
from zenith_pipelines.ingestion.sources.base import raw_table
from zenith_pipelines.ingestion.sources.defaults import default_source, default_tickers
from zenith_pipelines.ingestion.sources.packages import PackageSource, package_sources
from zenith_pipelines.settings import Settings

EXAMPLE = Path(__file__).parents[3] / "example_source"
DAYS = pd.bdate_range("2024-01-02", "2024-01-12")
CLOSES = np.linspace(10.0, 11.0, len(DAYS))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a folder with the example installed, beside nothing else."""
    return install(EXAMPLE, tmp_path_factory.mktemp("example"))


@pytest.fixture
def installed(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delenv("ALMANAC_FILE", raising=False)
    yield
    sys.modules.pop("almanac", None)


@pytest.fixture
def almanac(installed, monkeypatch, tmp_path):
    file = tmp_path / "almanac.db"
    with closing(sqlite3.connect(file)) as database:
        rows = pd.DataFrame(
            {"ticker": "ACME", "date": DAYS.strftime("%Y-%m-%d"), "close": np.linspace(10, 11, len(DAYS))}
        )
        rows = rows.assign(
            open=rows["close"], high=rows["close"] + 0.1, low=rows["close"] - 0.1, volume=1000, dividends=0.0
        )
        rows.to_sql("bars", database, index=False)
    monkeypatch.setenv("ALMANAC_FILE", str(file))
    return make_source("almanac")


@pytest.mark.slow  # installs the package
def test_an_installed_source_is_fetched_compared_and_cleaned_like_our_own(almanac, tmp_path):
    store = DatasetStore(tmp_path / "data")

    fetch = fetch_next(store, almanac, "ACME")
    store.write("raw_prices", "ACME", fetch.snapshot, keep_history=True)

    assert (fetch.snapshot.facts["source"], fetch.snapshot.facts["currency"]) == ("almanac", "USD")
    assert (
        clean_snapshot(fetch.snapshot, "ACME").prices["close"].round(6).tolist()
        == np.linspace(10, 11, 9).round(6).tolist()
    )
    assert not fetch_next(store, almanac, "ACME").is_new
    assert default_source(Settings(zenith_home=tmp_path), store, "ACME")[0] == "almanac"
    assert default_tickers(almanac) == ["ACME"]


def test_its_own_errors_pass_unchanged(almanac):
    with pytest.raises(UnknownTicker, match="has no NOPE; it has ACME"):
        almanac.fetch("NOPE")
    with pytest.raises(NoNewData, match="has no ACME since 2030-01-01"):
        almanac.fetch("ACME", date(2030, 1, 1))


@pytest.mark.usefixtures("installed")
def test_an_unknown_source_is_refused_with_the_names_of_all():
    with pytest.raises(UserError, match="'other'; there are almanac, csv, http, sample, simulated, yahoo$"):
        make_source("other")
    with pytest.raises(UserError, match="ALMANAC_FILE '.' is no file"):
        make_source("almanac")


PRICES = raw_table(pd.DataFrame({name: 1.0 for name in ("open", "high", "low", "close", "volume")}, index=DAYS))


def answer(prices=PRICES, source="odd", fetched_at=None):
    return RawPrices(prices, source, "odd 1", fetched_at or datetime.now(UTC))


class Odd:
    """A source that returns or raises one thing."""

    name = "odd"

    def __init__(self, result):
        self.result = result

    def fetch(self, ticker, since=None):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def offers(self, ticker):
        return True

    def tickers(self):
        return None


def test_an_answer_of_the_right_shape_passes():
    raw = answer()
    assert PackageSource(Odd(raw)).fetch("AAPL") is raw


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (PRICES, "a DataFrame; expected RawPrices"),
        (answer(source="other"), "prices of the source 'other'; expected 'odd'"),
        (answer(fetched_at=datetime(2024, 1, 1)), "a time of fetch without a zone"),
        (answer(PRICES.drop(columns="splits")), "no column splits"),
        (answer(PRICES.astype({"close": object})), "the column close of object; expected float64"),
        (answer(PRICES.tz_localize("UTC")), "an index that is not `date` without a zone"),
        (answer(PRICES.rename_axis("day")), "an index that is not `date` without a zone"),
        (answer(PRICES.set_axis((DAYS + pd.Timedelta("9h")).rename("date"))), "times of day in its index"),
        (answer(PRICES.iloc[:0]), "no rows; expected NoNewData to be raised"),
    ],
)
def test_an_answer_of_another_shape_is_refused_in_one_line(result, message):
    with pytest.raises(InvalidPrices) as refusal:
        PackageSource(Odd(result)).fetch("AAPL")
    assert str(refusal.value).startswith(f"the source odd answered AAPL with {message}")


def test_any_other_exception_is_one_line_with_the_name_of_the_source():
    with pytest.raises(SourceError, match=r"^the source odd failed for AAPL: KeyError: 'a b'$"):
        PackageSource(Odd(KeyError("a b"))).fetch("AAPL")


def no_source(options):
    return object()


def another_name(options):
    return Odd(None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere_at_all:make", "the package of the source mine cannot be loaded: ModuleNotFoundError"),
        (f"{__name__}:no_source", "the entry point mine of zenith.sources is no price source: it has no method fetch"),
        (f"{__name__}:another_name", "the entry point mine of zenith.sources is no price source: it has another name"),
    ],
)
def test_a_package_that_is_no_source_is_refused_in_one_line(value, message):
    with pytest.raises(UserError, match=f"^{message}"):
        PackageSource.load(EntryPoint("mine", value, "zenith.sources"), None)


def test_nothing_is_a_source_of_a_package_here():
    assert package_sources() == {}, "an installed package would change the other tests"
