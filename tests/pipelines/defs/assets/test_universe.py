"""The asset `universe_forecasts`, and the sensor that asks for it."""

from datetime import date

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from tests.core.portfolio.universe import drawn_returns
from tests.core.risk.distributions import normal_distribution
from zenith_core.errors import CorruptData
from zenith_core.evaluation.ledger_chain import entry_hash
from zenith_core.names import ALL_TICKERS, BOOK_BACKTEST, UNIVERSE, UNIVERSE_LEDGER
from zenith_core.portfolio.joint_closes import joint_closes
from zenith_core.portfolio.universe import Universe
from zenith_core.portfolio.universe_record import rows_of
from zenith_core.snapshot import ServingSnapshot
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs import sensors
from zenith_pipelines.defs.assets.universe import backtest_of_books, ledger_of_universe, universe_of_tickers
from zenith_pipelines.defs.resources import resources
from zenith_pipelines.portfolio.book_backtest import _trial
from zenith_pipelines.portfolio.universe import closes_of, universe_of
from zenith_pipelines.portfolio.universe_facts import universe_facts
from zenith_pipelines.portfolio.universe_ledger import ENTRIES, next_universe_ledger
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
DAYS = pd.bdate_range(end="2024-06-28", periods=400, name="date")


@pytest.fixture
def store(monkeypatch, tmp_path):
    """Return the store of a home with three tickers, of which AAPL has a served distribution."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    store = DatasetStore(Settings().data_uri)
    for ticker, returns in zip(("AAPL", "MSFT", "VOD.L"), drawn_returns(400, 3).T, strict=True):
        prices = pd.DataFrame({"close": 100 * np.exp(returns.cumsum())}, DAYS)
        store.write("cleaned_prices", ticker, Dataset({"prices": prices}, {"data_version": "feed", "last": "2024"}))
    day = date(2024, 6, 28)
    snapshot = ServingSnapshot(
        "AAPL", "feed", "f", day, 1.0, "USD", 0.01, np.zeros((1, 1), np.float32), (day,),
        distribution=normal_distribution(daily=0.2),
    )  # fmt: skip
    store.write("serving_snapshot", "AAPL", Dataset(facts=snapshot.to_json()))
    return store


def materialize(*tickers, raise_on_error=True):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", list(tickers))
        return dg.materialize(
            [universe_of_tickers], instance=instance, resources=resources(Progress()), raise_on_error=raise_on_error
        )


@pytest.mark.slow
def test_it_is_published_for_serving(store):
    result = materialize("AAPL", "MSFT", "VOD.L", "NEW")

    (event,) = result.get_asset_materialization_events()
    metadata = {key: value.value for key, value in event.materialization.metadata.items()}
    assert (metadata["as_of"], metadata["tickers"], metadata["with_bands"]) == ("2024-06-28", 3, 1)
    facts = store.facts(UNIVERSE, ALL_TICKERS)
    universe = Universe.from_json(facts)
    assert (universe.tickers, universe.currencies) == (("AAPL", "MSFT", "VOD.L"), ("USD", "USD", "GBP"))
    pence = store.read("cleaned_prices", "VOD.L").tables["prices"]["close"].iloc[-1]
    assert universe.closes[2] == pytest.approx(pence / 100)
    assert facts["scale_versions"] == {"AAPL": "7"}
    ranks = facts["ranks"]["20"]["tickers"]
    assert [row["ticker"] for row in ranks] == ["AAPL", "MSFT", "VOD.L"]
    assert min(ranks[0]["first"], ranks[0]["last"]) > 0.4  # its served distribution is by far the widest
    book = facts["ranks"]["20"]["book"]
    assert sum(part["share"] for part in book["parts"].values()) == pytest.approx(1, abs=1e-5)
    assert book["parts"]["AAPL"]["share"] > 0.9
    assert 0 < book["parts"]["MSFT"]["correlation"] < book["parts"]["AAPL"]["correlation"] <= 1
    assert 0 < book["value_at_risk"] < book["expected_shortfall"]


@pytest.mark.slow
def test_without_prices_it_fails_in_one_line_and_keeps_the_last_one(store):
    materialize("AAPL", "MSFT")
    before = store.facts(UNIVERSE, ALL_TICKERS)

    result = materialize("NEW", raise_on_error=False)

    assert not result.success
    assert store.facts(UNIVERSE, ALL_TICKERS) == before


def test_the_sensor_asks_once_for_new_snapshots_and_not_while_a_refresh_is_active(store):
    with dg.DagsterInstance.ephemeral() as instance:

        def evaluate(cursor=None):
            return sensors.universe_after_refresh(dg.build_sensor_context(instance=instance, cursor=cursor))

        assert isinstance(evaluate(), dg.SkipReason)
        instance.report_runless_asset_event(dg.AssetMaterialization("serving_snapshot", partition="AAPL"))
        result = evaluate()
        assert len(result.run_requests) == 1
        assert isinstance(evaluate(result.cursor), dg.SkipReason)

        instance.add_run(dg.DagsterRun(job_name="refresh_prices", status=dg.DagsterRunStatus.STARTED))
        assert "refresh_prices is active or waits" in evaluate().skip_message


@pytest.mark.slow
def test_forecasts_of_all_tickers_are_kept_and_scored_when_due(store):
    tickers = ("AAPL", "MSFT", "VOD.L")
    universe = universe_of(store, tickers)
    facts = universe_facts(store, universe)
    closes = joint_closes(closes_of(store, tickers)[0])
    ledger = next_universe_ledger(store, universe, facts, closes)
    store.write(UNIVERSE_LEDGER, ALL_TICKERS, ledger)
    assert (list(ledger.tables[ENTRIES]["kind"]), ledger.facts["record"]) == (["forecast"], {})
    risks = [row["value_at_risk"] for row, _ in rows_of(ledger.tables[ENTRIES], "forecast")]
    assert risks == [each["book"]["value_at_risk"] for each in facts["ranks"].values()]  # those that are served

    later = closes.reindex(closes.index.union(pd.bdate_range("2024-07-01", "2030-12-31"))).ffill()
    again = next_universe_ledger(store, universe, facts, later)
    assert list(again.tables[ENTRIES]["kind"]) == ["forecast"]  # made after its target session: never scored

    entries = again.tables[ENTRIES].drop(columns="hash").to_dict("records")[0]
    entries["at"] = "2024-06-28T22:00:00+00:00"
    entries["hash"] = entry_hash(entries)
    store.write(UNIVERSE_LEDGER, ALL_TICKERS, Dataset({ENTRIES: pd.DataFrame([entries])}))
    due = next_universe_ledger(store, universe, facts, later)
    assert list(due.tables[ENTRIES]["kind"]) == ["forecast", "outcome"]
    assert {key: row["outcomes"] for key, row in due.facts["record"].items()} == {"5": 1, "20": 1}

    entries["rows"] = "[]"
    store.write(UNIVERSE_LEDGER, ALL_TICKERS, Dataset({ENTRIES: pd.DataFrame([entries])}))
    with pytest.raises(
        CorruptData, match=r"ALL-TICKERS: entry 1 of 1 does not match its hash.*restore .* from a backup"
    ):
        next_universe_ledger(store, universe, facts, later)


def test_a_forecast_that_an_earlier_release_stored_without_a_book_begins_no_ledger(store):
    tickers = ("AAPL", "MSFT", "VOD.L")
    universe = universe_of(store, tickers)
    facts = universe_facts(store, universe)
    for ranks in facts["ranks"].values():
        del ranks["book"]

    assert (
        next_universe_ledger(store, universe, facts, joint_closes(closes_of(store, tickers)[0])).tables[ENTRIES].empty
    )


@pytest.mark.slow
def test_the_job_publishes_the_forecast_and_its_ledger(store):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL", "MSFT"])
        dg.materialize([universe_of_tickers, ledger_of_universe], instance=instance, resources=resources(Progress()))

    assert store.read(UNIVERSE_LEDGER, ALL_TICKERS).tables[ENTRIES]["kind"].tolist() == ["forecast"]


@pytest.mark.slow
def test_one_ticker_has_nothing_to_compare_and_begins_no_ledger(store):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL"])
        dg.materialize([universe_of_tickers, ledger_of_universe], instance=instance, resources=resources(Progress()))

    assert store.read(UNIVERSE_LEDGER, ALL_TICKERS).tables[ENTRIES].empty


@pytest.mark.slow  # resamples Sharpe ratios
def test_the_books_of_all_tickers_are_backtested(store):
    for ticker in ("AAPL", "MSFT", "VOD.L"):
        dataset = store.read("cleaned_prices", ticker)
        prices = dataset.tables["prices"].assign(open=lambda table: table["close"].shift(1).bfill())
        store.write("cleaned_prices", ticker, Dataset({"prices": prices}, dataset.facts))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL", "MSFT", "VOD.L"])
        dg.materialize([backtest_of_books], instance=instance, resources=resources(Progress()))
        first = store.read(BOOK_BACKTEST, ALL_TICKERS)
        instance.delete_dynamic_partition("tickers", "VOD.L")
        dg.materialize([backtest_of_books], instance=instance, resources=resources(Progress()))

    assert first.facts["stats"]["minimum_variance"]["trials"] == 3
    dataset = store.read(BOOK_BACKTEST, ALL_TICKERS)
    assert set(dataset.facts["stats"]) == {"equal_weight", "inverse_volatility", "minimum_variance"}
    assert list(dataset.table) == ["date", "equal_weight", "inverse_volatility", "minimum_variance"]
    assert dataset.facts["stats"]["minimum_variance"]["trials"] == 6  # other tickers are another trial
    own = {_trial(["MSFT", "AAPL"]), _trial(["AAPL", "VOD.L", "MSFT"])}  # in any order
    assert set(dataset.facts["trials"]) == own
