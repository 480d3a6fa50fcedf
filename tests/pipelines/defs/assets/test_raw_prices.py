"""Runs of `raw_prices`: their records in Dagster, and the pool that limits them."""

from types import SimpleNamespace

import dagster as dg
import pytest

from tests.empty_databases import put_dagster_databases
from zenith_core.errors import Delisted, RateLimited, SourceUnavailable, UnknownTicker, UserError
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.defs.assets import prices
from zenith_pipelines.defs.assets.prices import PRICE_SOURCES, _fetch
from zenith_pipelines.defs.run_requests import BATCH
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
from zenith_pipelines.settings import Settings


@pytest.fixture
def materializations(monkeypatch, tmp_path):
    """Run `raw_prices` for AAPL, twice; return both materializations, and the instance."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    put_dagster_databases(tmp_path)
    runs = [TickerRun("AAPL", source="sample", until="raw_prices") for _ in range(2)]
    assert [run_ticker(run, Progress())["status"] for run in runs] == ["ok", "ok"]
    with open_instance(Settings()) as instance:
        logs = [instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION) for run in runs]
        yield [log.asset_materialization for (log,) in logs], instance


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
def test_the_hash_of_the_rows_is_the_data_version_and_each_kind_of_difference_is_counted(materializations):
    (first, second), instance = materializations
    facts = DatasetStore(Settings().data_uri).facts("raw_prices", "AAPL")

    for materialization in (first, second):
        assert materialization.tags["dagster/data_version"] == facts["content_hash"]
        assert materialization.metadata["content_hash"].value == facts["content_hash"]
    counts = [each.metadata["restatements"].value["counts"] for each in (first, second)]
    assert counts[0]["new_sessions"] == facts["rows"] == 3270
    assert set(counts[1].values()) == {0}
    assert [each.metadata["new_snapshot"].value for each in (first, second)] == [True, False]
    assert len(DatasetStore(Settings().data_uri).stamps("raw_prices", "AAPL")) == 1
    assert instance.event_log_storage.get_concurrency_info(PRICE_SOURCES).slot_count == 2


def test_only_the_fetch_is_in_the_pool():
    from zenith_pipelines.definitions import defs

    pools = {asset.key.to_user_string(): asset.op.pool for asset in defs.assets}
    assert {name for name, pool in pools.items() if pool} == {"raw_prices"}
    assert pools["raw_prices"] == PRICE_SOURCES


class UnavailableSource:
    name = "unavailable"

    def __init__(self, error):
        self.error = error

    def tickers(self):
        return None

    def fetch(self, ticker, since=None):
        raise self.error


@pytest.mark.parametrize(
    ("run", "error", "expected"),
    [
        ((True,), RateLimited("slow down"), dg.RetryRequested),
        ((True,), SourceUnavailable("offline"), dg.RetryRequested),
        ((False, {BATCH: "batch"}), SourceUnavailable("offline"), dg.RetryRequested),
        ((True,), UnknownTicker("no AAPL"), UnknownTicker),
        ((False,), SourceUnavailable("offline"), SourceUnavailable),
        ((True,), Delisted("gone"), Delisted),
    ],
)
def test_only_a_run_launched_by_dagster_or_a_batch_retries_an_unavailable_source(tmp_path, run, error, expected):
    context = run_context(*run)

    with pytest.raises(expected) as raised_error:
        _fetch(context, DatasetStore(str(tmp_path)), UnavailableSource(error))

    assert DatasetStore(str(tmp_path)).exists("delisted", "AAPL") == (expected is Delisted)
    if expected is dg.RetryRequested:
        assert (raised_error.value.max_retries, raised_error.value.__cause__) == (1, error)
        assert 60 <= raised_error.value.seconds_to_wait <= 120


def run_context(launched_by_dagster, tags=None):
    run = SimpleNamespace(remote_job_origin="the code location" if launched_by_dagster else None, tags=tags or {})
    return SimpleNamespace(partition_key="AAPL", run=run)


@pytest.mark.parametrize(
    "config",
    [
        {"source": "csv", "csv_dir": "/etc"},
        {"as_of": "2026-01-02", "archive": "http://127.0.0.1:9/archive"},
        {"as_of": "2026-01-02", "archive": "/etc"},
    ],
    ids=str,
)
def test_run_config_of_a_launched_run_names_no_place_outside_the_roots(tmp_path, monkeypatch, config):
    monkeypatch.setattr(prices, "DatasetStore", lambda place: pytest.fail(f"{place} was opened"))
    monkeypatch.setattr(prices, "make_source", lambda *_, **__: pytest.fail("the folder was opened"))
    zenith = SimpleNamespace(settings=Settings(zenith_home=tmp_path, zenith_csv_dir=None), store=None)

    with pytest.raises(UserError, match=r"not below ZENITH_CSV_DIR.*ZENITH_DATA_ROOTS"):
        prices._source(run_context(launched_by_dagster=True), prices.FetchConfig(**config), zenith, "AAPL")


@pytest.mark.parametrize("launched_by_dagster", [True, False])
def test_folders_below_the_roots_are_read_and_the_command_line_reads_any(tmp_path, launched_by_dagster):
    folder = tmp_path / "prices"
    folder.mkdir()
    (folder / "AAPL.csv").write_text("date,open,high,low,close,volume\n2024-01-02,1,1,1,1,1\n")
    roots = str(tmp_path) if launched_by_dagster else ""
    settings = Settings(zenith_home=tmp_path / "home", zenith_csv_dir=None, zenith_data_roots=roots)
    zenith = SimpleNamespace(settings=settings, store=DatasetStore(settings.data_uri))
    config = prices.FetchConfig(source="csv", csv_dir=str(folder))

    source = prices._source(run_context(launched_by_dagster), config, zenith, "AAPL")

    assert source.tickers() == ["AAPL"]
