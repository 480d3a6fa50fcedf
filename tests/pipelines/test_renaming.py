"""A renamed ticker keeps its prices, models, decisions, trials and ledger, also if the rename is killed on its way."""

import shutil
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
import pytest

from tests.core.ledgers import add_forecasts
from tests.empty_databases import put_dagster_databases, put_mlflow_database
from tests.pipelines.synthetic_models import current_data, market, register_version
from zenith_core.errors import NotAvailable, UserError
from zenith_core.evaluation.ledger_chain import no_entries, replay, verify
from zenith_pipelines import renaming
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.ledger import ENTRIES, FORECASTS, LEDGER, read_entries
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.trials import TRIAL_TAG, sharpes_tried
from zenith_pipelines.renaming import rename_ticker, unfinished_renames
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import PARTITIONS, add_tickers, known_tickers
from zenith_serving.errors import UnknownTicker
from zenith_serving.published.snapshot_store import SnapshotStore

pytestmark = [pytest.mark.slow]

PRICES = pd.DataFrame({"close": [1.0, 2.0]}, pd.DatetimeIndex(["2024-01-02", "2024-01-03"], name="date"))
FORECAST = pd.DataFrame(
    {
        "made_at": datetime(2024, 1, 3, 23, tzinfo=UTC),
        "origin": pd.Timestamp("2024-01-03"),
        "horizon": [1, 2],
        "target_date": pd.DatetimeIndex(["2024-01-04", "2024-01-05"]),
        "close": 2.0,
        "forecast": 2.1,
        "lower": 1.9,
        "upper": 2.3,
        "model_type": "lstm",
        "model_version": 1,
        "data_version": "d1",
        "actual": float("nan"),
    }
)


class Home:
    """A home, opened: its instance, datasets and registry."""

    def __init__(self, folder, instance):
        self.settings = Settings(zenith_home=folder)
        self.instance = instance
        self.store = DatasetStore(self.settings.data_uri)
        self.registry = ModelRegistry(self.settings.tracking_uri, self.settings.artifact_root)

    def rename(self, old="FB", new="META"):
        return rename_ticker(self.instance, self.settings, self.registry, old, new)

    def served(self):
        return SnapshotStore(self.settings.home / "data" / "serving_snapshot")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A home with the ticker FB: two versions of a model, one in Production, a trial, a ledger, two price snapshots."""
    folder = tmp_path_factory.mktemp("template") / "home"
    put_dagster_databases(folder)
    put_mlflow_database(folder / "mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZENITH_HOME", str(folder))
        patch.delenv("DAGSTER_HOME", raising=False)
        with open_instance(Settings()) as instance:
            home = Home(folder, instance)
            add_tickers(instance, ["FB", "IBM"])
            features = market()
            current = current_data("FB", features)
            for _ in range(2):
                register_version(home.registry, "lstm", "FB", features.iloc[:400])
            promote_if_better(home.registry, "lstm", 1, current)
            home.registry.log_metrics("lstm-FB", 1, {"backtest/long/sharpe": 0.7}, {TRIAL_TAG: "lstm-FB"})
            for number in (1, 2):
                home.store.write("raw_prices", "FB", Dataset({"prices": PRICES * number}), keep_history=True)
            home.store.write("raw_prices", "IBM", Dataset({"prices": PRICES}), keep_history=True)
            home.store.write("lstm_model", "FB", Dataset(facts={"ticker": "FB", "model": "lstm-FB", "version": 1}))
            home.store.write("serving_snapshot", "FB", Dataset(facts=current.snapshot.to_json()))
            entries = add_forecasts(no_entries(), "FB", datetime(2024, 1, 3, tzinfo=UTC), FORECAST, PRICES["close"])
            home.store.write(LEDGER, "FB", Dataset({FORECASTS: replay(entries), ENTRIES: entries}))
            head = {"ledger_entries": len(entries), "ledger_head": str(entries["hash"].iloc[-1])}
            for name in ("raw_prices", LEDGER):
                instance.report_runless_asset_event(dg.AssetMaterialization(name, metadata=head, partition="FB"))
    return folder


@pytest.fixture
def home(template, tmp_path, monkeypatch):
    folder = tmp_path / "home"
    shutil.copytree(template, folder)
    monkeypatch.setenv("ZENITH_HOME", str(folder))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(Settings()) as instance:
        yield Home(folder, instance)


def assert_renamed(home):
    """Nothing is lost, nothing is doubled, and nothing but the note is left under the old name."""
    assert known_tickers(home.instance) == ["IBM", "META"]
    assert home.store.names("FB") == ["renamed"]
    assert [home.store.read("raw_prices", "META", stamp=s).table["close"].tolist() for s in _stamps(home)] == [
        [1.0, 2.0],
        [2.0, 4.0],
    ]
    assert home.store.facts("lstm_model", "META") == {"ticker": "META", "model": "lstm-META", "version": 1}
    entries = read_entries(home.store, "META")
    assert verify(entries).ticker == "META"
    assert entries["kind"].tolist() == ["forecast", "renamed"]
    assert entries["ticker"].tolist() == ["FB", "META"]
    assert len(home.store.read(LEDGER, "META").tables[FORECASTS]) == 2
    registry = home.registry
    assert registry.names() == ["lstm-META"]
    assert registry.aliases("lstm-META") == {"Candidate": 2, "Production": 1}
    assert [version.tags["ticker"] for version in registry.versions("lstm-META")] == ["META", "META"]
    assert registry.load("lstm-META", 1)
    assert [(one.version, one.outcome) for one in decision_history(registry, "lstm-META")] == [(1, "promoted")]
    assert sharpes_tried(registry, "lstm-META") == [0.7]
    for name in ("raw_prices", LEDGER):
        assert home.instance.get_materialized_partitions(dg.AssetKey(name)) == {"FB", "META"}
    assert home.served().get("FB").ticker == "META"
    assert unfinished_renames(home.store) == []


def _stamps(home):
    return home.store.stamps("raw_prices", "META")


def test_everything_goes_on_under_the_new_name_and_both_names_answer(home):
    before = read_entries(home.store, "FB")

    result = home.rename()

    assert (result.models, result.until > f"{datetime.now(UTC):%Y-%m-%d}") == (["lstm-FB"], True)
    assert_renamed(home)
    pd.testing.assert_frame_equal(read_entries(home.store, "META").iloc[: len(before)], before)
    assert home.store.names("IBM") == ["raw_prices"]
    with pytest.raises(NotAvailable, match="^FB was renamed already, to META$"):
        home.rename()

    facts = home.store.facts("renamed", "FB")
    home.store.write("serving_snapshot", "FB", Dataset(facts=current_data("FB", market()).snapshot.to_json()))
    assert home.served().get("FB").ticker == "FB"  # of a new owner of the name
    home.store.delete("serving_snapshot", "FB")
    assert home.served().get("FB").ticker == "META"
    home.store.write("renamed", "FB", Dataset(facts={**facts, "until": "2024-01-01"}))
    with pytest.raises(UnknownTicker):
        home.served().get("FB")
    home.store.write("renamed", "FB", Dataset(facts=facts))

    home.rename("META", "META2")
    assert home.served().get("FB").ticker == "META2"
    assert home.served().earlier_names("META2") == ["FB", "META"]
    home.rename("META2", "FB")
    assert home.served().get("FB").ticker == home.served().get("META").ticker == "FB"
    assert verify(read_entries(home.store, "FB")).ticker == "FB"
    assert home.registry.names() == ["lstm-FB"]


class Killed(BaseException):
    """As a signal: no handler of ours takes it."""


def kill_at(monkeypatch, owner, name, call, *, after):
    """Let the `call`-th call of a function end the process, before it has done its work or after."""
    function, calls = getattr(owner, name), iter(range(1, 1000))

    def killed(*arguments, **options):
        is_last = next(calls) == call
        if is_last and not after:
            raise Killed
        result = function(*arguments, **options)
        if is_last:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, killed)


KILLS = [
    (DatasetStore, "copy", 1, False),
    (DatasetStore, "_write_file", 4, False),
    (DatasetStore, "copy", 4, True),
    (renaming, "record_rename", 1, True),
    (ModelRegistry, "rename", 1, False),
    (ModelRegistry, "tag", 1, False),
    (ModelRegistry, "rename", 1, True),
    (dg.DagsterInstance, "report_runless_asset_event", 1, True),
    (DatasetStore, "delete", 1, False),
    (DatasetStore, "delete", 3, True),
]


def test_a_rename_that_is_killed_again_and_again_is_finished_by_the_same_command(home):
    for owner, name, call, after in KILLS:
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, owner, name, call, after=after)
            with pytest.raises(Killed):
                home.rename()
        assert [(one.old, one.new) for one in unfinished_renames(home.store)] == [("FB", "META")]
        assert home.served().get("FB").ticker in ("FB", "META")  # it never stops to answer

    home.rename()

    assert_renamed(home)


def start_run(home, ticker):
    job = dg.JobDefinition(name="job", graph_def=dg.GraphDefinition(name="job"))
    tags = {"dagster/partition": ticker}
    return home.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)


def test_a_rename_is_refused_in_one_line_and_changes_nothing(home):
    instance, store, client = home.instance, home.store, home.registry.client
    exists = "META exists already: its prices and models would be mixed with those of FB"

    def refuse(message, old="FB", new="META"):
        with pytest.raises((UserError, NotAvailable)) as refusal:
            home.rename(old, new)
        assert str(refusal.value).startswith(message)
        assert "\n" not in str(refusal.value)
        assert instance.has_dynamic_partition(PARTITIONS, "FB")
        assert "renamed" not in store.names("FB")
        assert "lstm-FB" in home.registry.names()

    add_tickers(instance, ["META"])
    refuse(exists)
    instance.delete_dynamic_partition(PARTITIONS, "META")
    store.write("cleaned_prices", "META", Dataset())
    refuse(exists)
    store.delete("cleaned_prices", "META")
    client.create_registered_model("lstm-META")
    refuse(exists)
    client.delete_registered_model("lstm-META")
    for ticker in ("FB", "META"):
        run = start_run(home, ticker)
        refuse(f"{ticker} has a run in progress, {run.run_id}: wait for its end, or cancel it")
        instance.delete_run(run.run_id)
    refuse("FB has this name already: name a new one", new="FB")
    refuse("NOPE: not among the tickers", old="NOPE")
    refuse("FB and META.SA are of different markets", new="META.SA")
    home.settings = Settings(zenith_home=home.settings.home, zenith_tickers="FB,IBM")
    refuse("FB: ZENITH_TICKERS would add it again; name META there instead")
