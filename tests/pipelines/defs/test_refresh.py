"""A refresh within the step of another run: the same datasets as those of the job, few events, a kept certificate."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from zenith_core.asset_selection import REFRESH_ASSETS
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import last_closed_session, sessions_between
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.defs import refresh
from zenith_pipelines.defs.resources import ZenithResource, resources
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import add_tickers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's, of itself
    pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.BetaWarning"),
]
ROWS = 420
MADE = REFRESH_ASSETS[:-1]  # without a model there is no ledger


def history():
    last = last_closed_session(exchange_of("XYZ"), datetime.now(UTC))
    index = sessions_between(exchange_of("XYZ"), last - timedelta(days=ROWS * 2), last)[-ROWS:]
    random = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.01 * random.standard_normal(ROWS)))
    table = pd.DataFrame({"open": close, "high": close * 1.01, "low": close / 1.01, "close": close}, index=index)
    return table.assign(volume=1e6, dividends=0.0, splits=0.0).rename_axis("date").round(6)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A home with an instance in memory, whose tickers are read from files."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ZENITH_CSV_DIR", str(tmp_path / "csv"))
    monkeypatch.setenv("ZENITH_PRICE_SOURCE", "csv")
    (tmp_path / "csv").mkdir()
    with dg.DagsterInstance.ephemeral() as instance:
        add_tickers(instance, ["XYZ"])
        yield Home(instance, tmp_path / "csv" / "XYZ.csv")


class Home:
    def __init__(self, instance, file):
        self.instance, self.file = instance, file
        self.store = DatasetStore(Settings().data_uri)

    def refresh(self, prices):
        """Refresh in a step; return the outcome, and the materializations and checks that the run recorded."""
        prices.to_csv(self.file)
        outcome = []

        @dg.op(out=dg.Out(dg.Nothing))
        def step(context: dg.OpExecutionContext, zenith: ZenithResource):
            outcome.append(refresh.refresh_ticker(context, zenith, "XYZ"))

        @dg.job(name="refresh_batch", resource_defs=resources(Progress()))
        def batch():
            step()

        result = batch.execute_in_process(instance=self.instance)
        events = result.get_asset_materialization_events()
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        return outcome[0], [event.materialization for event in events], checks

    def run_job(self, prices):
        from zenith_pipelines.definitions import defs

        prices.to_csv(self.file)
        assert (
            defs.resolve_job_def("refresh_prices")
            .execute_in_process(
                instance=self.instance, partition_key="XYZ", asset_selection=[dg.AssetKey(name) for name in MADE]
            )
            .success
        )

    @property
    def certificate(self):
        return self.store.facts("indicator_features", "XYZ")["leakage"]


def comparable(facts):
    """Facts without the moments at which something was done."""
    moments = ("fetched_at", "whole_at", "checked_at", "leakage", "previous_hash")
    return {name: value for name, value in facts.items() if name not in moments}


def test_the_datasets_are_those_of_the_job_and_each_is_recorded_for_its_ticker(home, monkeypatch, tmp_path):
    outcome, materializations, checks = home.refresh(history())
    ours = {name: home.store.read(name, "XYZ") for name in MADE}
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "other"))
    home.store = DatasetStore(Settings().data_uri)
    home.run_job(history())

    for name in MADE:
        theirs = home.store.read(name, "XYZ")
        assert comparable(ours[name].facts) == comparable(theirs.facts)
        assert ours[name].tables.keys() == theirs.tables.keys()
        for key, table in theirs.tables.items():
            pd.testing.assert_frame_equal(ours[name].tables[key], table, check_exact=True)
    assert outcome == "ok"
    assert [each.asset_key.to_user_string() for each in materializations] == list(MADE)
    assert {each.partition for each in materializations} == {"XYZ"}
    recorded = home.instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey("cleaned_prices"), asset_partitions=["XYZ"]), 2
    )
    theirs, own = (record.asset_materialization.tags["dagster/data_version"] for record in recorded.records)
    assert theirs == own == ours["cleaned_prices"].facts["data_version"]
    assert {"no_leakage", "enough_history", "fresh", "features_schema_holds"} <= checks.keys()


def test_a_grown_history_keeps_its_certificate_and_records_no_check_that_goes_on_passing(home):
    home.refresh(history()[:-2])
    first = home.certificate
    _, materializations, checks = home.refresh(history()[:-1])

    assert home.certificate == first
    assert materializations[2].metadata["leakage_checked_at"].value == first["checked_at"]
    assert {name for name, check in checks.items() if check.passed} == set()

    settled = home.refresh(history())[2]
    assert "enough_to_train" in settled, "it does not pass, as the time before"
    assert home.store.facts("indicator_features", "XYZ")["data_version"] != first["data_version"]


def test_a_blocking_check_stops_the_ticker_and_its_pass_is_recorded_later(home):
    home.refresh(history()[:-2])
    served = home.store.facts("serving_snapshot", "XYZ")["as_of"]
    outcome, materializations, checks = home.refresh(history()[:-30])

    assert outcome.startswith("failed: cleaned_prices: check end_not_before_served: the data end on ")
    assert [each.asset_key.to_user_string() for each in materializations] == ["raw_prices", "cleaned_prices"]
    assert not checks["end_not_before_served"].passed
    assert home.store.facts("serving_snapshot", "XYZ")["as_of"] == served

    outcome, _, checks = home.refresh(history()[:-1])
    assert outcome == "ok"
    assert checks["end_not_before_served"].passed
    assert checks["end_not_before_served"].partition == "XYZ"


def test_a_new_ticker_with_too_short_a_history_is_skipped_with_its_reason(home):
    outcome, materializations, checks = home.refresh(history()[-200:])

    assert outcome.startswith("skipped: 200 sessions of history; at least ")
    assert [each.asset_key.to_user_string() for each in materializations] == ["raw_prices", "cleaned_prices"]
    assert checks["enough_history"].severity is dg.AssetCheckSeverity.WARN
    (record,) = home.instance.fetch_observations(dg.AssetKey("indicator_features"), 2).records
    assert record.asset_observation.description == outcome


def test_a_batch_refreshes_the_other_tickers_and_fails_with_the_reason_and_its_retry_leaves_out_what_is_done(home):
    from zenith_pipelines.definitions import defs

    history().to_csv(home.file)
    add_tickers(home.instance, ["ABC"])
    job = defs.resolve_job_def("refresh_batch")

    def run(**tags):
        config = {"ops": {"refresh_each": {"config": {"tickers": ["ABC", "XYZ"]}}}}
        result = job.execute_in_process(instance=home.instance, run_config=config, tags=tags, raise_on_error=False)
        (failure,) = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
        made = [event.partition for event in result.get_asset_materialization_events()]
        return result.run_id, failure.step_failure_data.user_failure_data.description, made

    run_id, reason, made = run()
    assert reason.startswith("1 of 2 tickers: ABC failed: ")
    assert made == ["XYZ"] * len(MADE)
    assert home.instance.get_materialized_partitions(dg.AssetKey("serving_snapshot")) == {"XYZ"}

    assert run(**{"dagster/parent_run_id": run_id, "dagster/retry_number": "1"})[1:] == (reason, [])
