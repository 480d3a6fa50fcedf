import pytest

from zenith_core.errors import UnknownTicker, UserError
from zenith_pipelines.ingestion.sources import SOURCES, make_source
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.settings import Settings


@pytest.mark.parametrize(
    ("ticker", "sessions", "first"),
    [
        ("AAPL", 3270, "2000-03-01"),
        ("IBM", 3270, "2000-03-01"),
        ("MSFT", 3270, "2000-03-01"),
        ("GOOG", 2148, "2004-08-19"),
        ("FB", 196, "2012-05-18"),
    ],
)
def test_the_sample_holds_five_tickers(ticker, sessions, first):
    raw = SampleSource().fetch(ticker)
    assert len(raw.prices) == sessions
    assert [f"{day:%Y-%m-%d}" for day in raw.prices.index[[0, -1]]] == [first, "2013-03-01"]
    assert list(raw.prices) == ["open", "high", "low", "close", "volume", "dividends", "splits", "adj_close"]
    assert set(map(str, raw.prices.dtypes)) == {"float64"}
    assert not raw.prices[["dividends", "splits"]].any(axis=None)


def test_a_fetch_records_its_source_library_and_currency():
    raw = SampleSource().fetch("aapl")
    assert (raw.source, raw.currency) == ("sample", "USD")
    assert raw.library.startswith("bokeh-sampledata 20")
    assert raw.fetched_at.tzinfo is not None
    assert raw.prices.loc["2013-03-01", ["open", "close", "volume"]].tolist() == [438.0, 430.47, 19730300.0]


def test_an_increment_has_the_rows_since_its_first_day():
    raw = SampleSource().fetch("AAPL", since=SampleSource().fetch("AAPL").prices.index[-5].date())
    assert len(raw.prices) == 5


def test_the_content_hash_depends_on_the_rows_alone():
    source = SampleSource()
    assert source.fetch("AAPL").content_hash == source.fetch("AAPL").content_hash
    assert source.fetch("AAPL").content_hash != source.fetch("IBM").content_hash


def test_the_error_for_an_unknown_ticker_lists_the_five():
    with pytest.raises(UnknownTicker, match="the sample has no TSLA; it has AAPL, FB, GOOG, IBM, MSFT"):
        SampleSource().fetch("TSLA")


def test_the_error_for_an_unknown_source_lists_all_sources():
    with pytest.raises(UserError, match="no price source 'nasdaq'; there are csv, http, sample, simulated, yahoo"):
        make_source("nasdaq")


def test_every_source_has_the_name_of_its_entry(tmp_path):
    settings = Settings(zenith_home=tmp_path, zenith_price_url="https://host/{ticker}")
    assert {make_source(name, csv_dir=tmp_path, settings=settings).name for name in SOURCES} == set(SOURCES)
    assert isinstance(make_source("csv", csv_dir=tmp_path), CsvFolderSource)
