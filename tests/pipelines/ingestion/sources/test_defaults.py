"""Runs without a named source continue with the ticker's own source."""

import pytest

from tests.empty_databases import put_dagster_databases
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
from zenith_pipelines.ingestion.sources import SampleSource
from zenith_pipelines.ingestion.sources.defaults import default_source
from zenith_pipelines.settings import Settings


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    put_dagster_databases(tmp_path / "home")
    for name in ("DAGSTER_HOME", "ZENITH_PRICE_SOURCE", "ZENITH_CSV_DIR"):
        monkeypatch.delenv(name, raising=False)
    return DatasetStore(Settings().data_uri)


@pytest.mark.parametrize(
    ("ticker", "source"), [("AAPL", "sample"), ("SIM-NOISE-7", "simulated"), ("PETR4.SA", "yahoo"), ("TSLA", "yahoo")]
)
def test_a_new_ticker_takes_the_packaged_prices_if_they_have_it_and_else_yahoo(store, ticker, source):
    assert default_source(Settings(), store, ticker) == (source, None)


def test_a_ticker_continues_with_the_source_and_folder_of_its_newest_snapshot(store, tmp_path):
    store.write("raw_prices", "AAPL", Dataset(facts={"source": "yahoo"}), keep_history=True)
    store.write("raw_prices", "IBM", Dataset(facts={"source": "csv", "folder": str(tmp_path)}), keep_history=True)

    assert default_source(Settings(), store, "AAPL") == ("yahoo", None)
    assert default_source(Settings(), store, "IBM") == ("csv", tmp_path)


def test_the_source_that_the_environment_names_takes_precedence(store, tmp_path, monkeypatch):
    store.write("raw_prices", "AAPL", Dataset(facts={"source": "yahoo"}), keep_history=True)
    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")
    monkeypatch.setenv("ZENITH_CSV_DIR", str(tmp_path))

    assert default_source(Settings(), store, "AAPL") == ("csv", tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised by Dagster itself
def test_later_runs_continue_with_the_folder_of_the_first_run(store, tmp_path):
    prices = tmp_path / "prices"
    prices.mkdir()
    whole = SampleSource().fetch("AAPL").prices
    whole.iloc[:-1].to_csv(prices / "AAPL.csv")
    first = TickerRun("AAPL", source="csv", csv_dir=str(prices), until="raw_prices")
    assert run_ticker(first, Progress())["reason"] is None

    whole.to_csv(prices / "AAPL.csv")
    assert run_ticker(TickerRun("AAPL", until="raw_prices"), Progress())["reason"] is None

    assert store.facts("raw_prices", "AAPL")["source"] == "csv"
    assert store.facts("raw_prices", "AAPL")["rows"] == len(whole)
