"""Clean-up of a real MLflow registry: versions to keep, to delete, and never to delete."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from tests import forked
from tests.empty_databases import put_mlflow_database
from tests.pipelines.synthetic_models import current_data, market, register_version
from tests.waiting import PATIENCE
from zenith_core.errors import UserError
from zenith_pipelines.definitions import defs
from zenith_pipelines.production.promotion import promote, promote_if_better, roll_back
from zenith_pipelines.registry import artifact_storage
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import RetentionRules, clean_up, cleanup_table, versions_to_keep
from zenith_pipelines.registry.trials import sharpes_tried
from zenith_pipelines.tickers import removed_tickers

pytestmark = pytest.mark.slow

FEATURES = market(sessions=150)


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cleaned")
    put_mlflow_database(folder)
    return folder


@pytest.fixture(scope="module")
def own_registry(own_folder):
    """A registry for this module alone, because clean-up goes through all of it."""
    return Delayed(f"sqlite:///{own_folder}/mlflow.db", own_folder / "artifacts")


class Delayed(ModelRegistry):
    """Calls `before_lock` once, right before it returns the lock of a model."""

    before_lock = None

    def lock(self, name):
        action, self.before_lock = self.before_lock, None
        if action:
            action()
        return super().lock(name)


@pytest.fixture
def an_hour_later(monkeypatch):
    monkeypatch.setattr(artifact_storage, "GRACE_SECONDS", -10.0)


def register_versions(registry, ticker, *skills):
    """Register a version of a ticker's ensemble for each skill; promote none. Return the model name."""
    for skill in skills:
        register_version(registry, "ensemble", ticker, FEATURES, first=140, skill=skill)
    return f"ensemble-{ticker}"


def force(registry, ticker, *versions):
    for version in versions:
        promote(registry, "ensemble", version, current_data(ticker, FEATURES), force=True, reason="test")


def numbers(registry, name):
    return [version.version for version in registry.versions(name)]


def on_disk(folder):
    return sum(path.stat().st_size for path in (folder / "artifacts").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("rules", "reasons"),
    [
        (
            RetentionRules(2),
            {6: ["latest", "Candidate"], 5: ["latest"], 3: ["Production"], 2: ["best"], 1: ["rollback"]},
        ),
        (
            RetentionRules(2, keep_best=False),
            {6: ["latest", "Candidate"], 5: ["latest"], 3: ["Production"], 1: ["rollback"]},
        ),
        (RetentionRules(0), {6: ["Candidate"], 3: ["Production"], 2: ["best"], 1: ["rollback"]}),
    ],
)
def test_the_latest_the_best_the_aliased_and_the_rollback_version_are_kept(rules, reasons):
    losses = {1: 1.1, 2: 0.9, 4: 1.0, 5: 0.95}

    assert versions_to_keep([1, 2, 3, 4, 5, 6], losses, {"Production": 3, "Candidate": 6}, 1, rules) == reasons


def test_of_equally_good_versions_the_newer_one_is_the_best():
    assert versions_to_keep([1, 2, 3], {1: 0.9, 2: 0.9}, {}, None, RetentionRules(0)) == {2: ["best"]}
    assert versions_to_keep([1], {}, {}, None, RetentionRules(0)) == {}


def test_a_negative_number_to_keep_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"^keep_latest_n -1: expected 0 or more$"):
        RetentionRules(keep_latest_n=-1)


def test_versions_are_deleted_with_their_artifacts_and_the_freed_bytes_are_reported(own_registry, own_folder):
    name = register_versions(own_registry, "OLD", 0.01, 0.09, 0.02, 0.03, 0.04, 0.05)
    force(own_registry, "OLD", 1, 3)
    runs = {version.version: version.run_id for version in own_registry.versions(name)}
    before = on_disk(own_folder)
    rules = RetentionRules(keep_latest_n=2)

    plan = clean_up(own_registry, RetentionRules(keep_latest_n=2, dry_run=True))
    assert numbers(own_registry, name) == [6, 5, 4, 3, 2, 1]
    assert on_disk(own_folder) == before
    report = clean_up(own_registry, rules)

    assert report == {**plan, "dry_run": False}
    model = report["models"][name]
    assert list(model["kept"]) == ["6", "5", "3", "2", "1"]
    assert [(one["version"], one["why"]) for one in model["deleted"]] == [(4, "old")]
    assert numbers(own_registry, name) == [6, 5, 3, 2, 1]
    assert report["bytes_freed"] == before - on_disk(own_folder) > 1000
    assert not [path for path in (own_folder / "artifacts").rglob("*") if path.is_file() and runs[4] in str(path)]
    assert f"| {name} | 6 (latest, Candidate), 5 (latest), " in cleanup_table(report)
    assert clean_up(own_registry, rules)["bytes_freed"] == 0


def test_trials_and_history_outlive_deleted_versions(own_registry):
    name = register_versions(own_registry, "TRIED", 0.01, 0.02, 0.03)
    for version in (1, 2, 3):
        figures = {"backtest/long/sharpe": version / 10}
        own_registry.log_metrics(name, version, figures, tags={"backtest_of": name})
        promote_if_better(own_registry, "ensemble", version, current_data("TRIED", FEATURES))
    outcomes = [(one.version, one.outcome) for one in decision_history(own_registry, name)]

    clean_up(own_registry, RetentionRules(keep_latest_n=1, keep_best=False))

    assert numbers(own_registry, name) == [3, 2]  # a rollback needs 2
    assert sharpes_tried(own_registry, name) == [0.1, 0.2, 0.3]
    assert [(one.version, one.outcome) for one in decision_history(own_registry, name)] == outcomes
    assert roll_back(own_registry, "ensemble", current_data("TRIED", FEATURES), reason=None)["production"] == 2


def rows(registry, query, *values):
    """The first columns of rows of MLflow's database, sorted."""
    with closing(sqlite3.connect(registry.tracking_uri.removeprefix("sqlite:///"))) as database:
        return sorted(row[0] for row in database.execute(query, values))


def test_of_a_deleted_version_trials_and_decisions_are_the_only_rows_that_stay(own_registry):
    name = register_versions(own_registry, "ROWS", 0.01, 0.02, 0.03)
    for version in (1, 2, 3):
        figures = {"backtest/long/sharpe": version / 10, "backtest/long/trades": 7.0}
        own_registry.log_metrics(name, version, figures, tags={"backtest_of": name})
        promote_if_better(own_registry, "ensemble", version, current_data("ROWS", FEATURES))
    versions = {version.version: version for version in own_registry.versions(name)}
    run, metrics = versions[1].run_id, own_registry.metrics(name, 3)
    rules = {"keep_latest_n": 1, "keep_best": False}
    of_run = {table: f"SELECT key FROM {table} WHERE run_uuid = ?" for table in ("metrics", "latest_metrics", "params")}

    clean_up(own_registry, RetentionRules(**rules, dry_run=True))
    assert all(len(rows(own_registry, query, run)) > 0 for query in of_run.values())
    clean_up(own_registry, RetentionRules(**rules))

    assert {table: rows(own_registry, query, run) for table, query in of_run.items()} == {
        "metrics": ["backtest/long/sharpe"],
        "latest_metrics": ["backtest/long/sharpe"],
        "params": [],
    }
    tags = rows(own_registry, "SELECT key FROM tags WHERE run_uuid = ?", run)
    assert [tag.partition("/")[0] for tag in tags] == [
        "artifacts_removed",
        "backtest_of",
        "decision",
        "mlflow.runName",
    ]
    assert rows(own_registry, "SELECT model_id FROM logged_models WHERE source_run_id = ?", run) == []
    assert rows(own_registry, "SELECT version FROM model_versions WHERE name = ?", name) == [2, 3]
    assert set(rows(own_registry, "SELECT version FROM model_version_tags WHERE name = ?", name)) == {2, 3}
    assert own_registry.metrics(name, 3) == metrics
    assert own_registry.version(name, 3).tags == own_registry.versions(name)[0].tags
    assert own_registry.load(name, 3)


def test_the_number_of_a_deleted_version_is_not_given_again(own_registry):
    name = register_versions(own_registry, "NUMBERS", 0.0, 0.0)
    force(own_registry, "NUMBERS", 1)
    own_registry.client.delete_registered_model_alias(name, "Candidate")

    clean_up(own_registry, RetentionRules(keep_latest_n=0, keep_best=False))
    assert numbers(own_registry, name) == [1]
    register_versions(own_registry, "NUMBERS", 0.0)

    assert numbers(own_registry, name) == [3, 1]


def test_a_version_that_is_promoted_between_plan_and_deletion_stays(own_registry, own_folder):
    name = register_versions(own_registry, "RACED", 0.0, 0.0)
    other_process = ModelRegistry(own_registry.tracking_uri, own_folder / "artifacts")
    force(own_registry, "RACED", 2)
    own_registry.before_lock = lambda: force(other_process, "RACED", 1)

    report = clean_up(own_registry, RetentionRules(keep_latest_n=0, keep_best=False))

    assert own_registry.before_lock is None
    assert report["models"][name]["deleted"] == []
    assert own_registry.production(name).version == 1


def test_a_removed_ticker_loses_its_models_and_no_other_ticker_does(own_registry):
    name, other = (
        register_versions(own_registry, "REMOVED", 0.0, 0.0),
        register_versions(own_registry, "REMOVE", 0.0),
    )
    force(own_registry, "REMOVED", 2)

    report = clean_up(own_registry, RetentionRules(), {"REMOVED", "UNHEARD"})

    assert [one["why"] for one in report["models"][name]["deleted"]] == ["ticker removed"] * 2
    assert name not in own_registry.names()
    assert own_registry.production(name) is None
    assert numbers(own_registry, other) == [1]
    assert [one.version for one in decision_history(own_registry, name)] == [2]


def test_a_version_without_artifacts_goes_unless_an_alias_needs_it(own_registry, an_hour_later):
    name = register_versions(own_registry, "EMPTY", 0.0, 0.0, 0.0)
    force(own_registry, "EMPTY", 1)
    for version in (1, 2):
        source = own_registry.client.get_model_version(name, str(version)).source
        own_registry.artifacts(source).delete_artifacts()

    model = clean_up(own_registry, RetentionRules())["models"][name]

    assert [(one["version"], one["why"]) for one in model["deleted"]] == [(2, "without artifacts")]
    assert model["broken"] == [1]
    assert own_registry.production(name).version == 1


@pytest.mark.parametrize("at", ["finalize_logged_model", "create_model_version"])
def test_leftovers_of_a_failed_registration_are_deleted_after_an_hour(own_registry, own_folder, monkeypatch, at):
    before = on_disk(own_folder)

    def fail(*_, **__):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(own_registry.client, at, fail)
        register_versions(own_registry, "FAILED", 0.0)
    leftover_bytes = on_disk(own_folder) - before
    assert leftover_bytes > 0
    assert clean_up(own_registry, RetentionRules())["leftovers"] == []  # too young: it may still be in progress

    monkeypatch.setattr(artifact_storage, "GRACE_SECONDS", -10.0)
    plan, report = clean_up(own_registry, RetentionRules(dry_run=True)), clean_up(own_registry, RetentionRules())

    assert report["leftovers"] == plan["leftovers"]
    assert {one["what"] for one in report["leftovers"]} == {
        "model without version",
        "artifacts of a run without version",
    }
    assert report["bytes_freed"] == leftover_bytes
    assert on_disk(own_folder) == before
    assert clean_up(own_registry, RetentionRules())["leftovers"] == []


def test_the_run_of_a_killed_process_is_ended(own_registry, an_hour_later):
    client = own_registry.client
    run = client.create_run(own_registry.experiment_id, tags={"kind": "lstm"}, run_name="lstm-KILLED").info.run_id

    clean_up(own_registry, RetentionRules())

    assert client.get_run(run).info.status == "KILLED"


def test_runs_that_zenith_did_not_create_are_left_alone(own_registry, own_folder, an_hour_later):
    client = own_registry.client
    run = client.create_run(own_registry.experiment_id, run_name="a notebook").info.run_id
    client.log_text(run, "mine", "note.txt")

    clean_up(own_registry, RetentionRules())

    assert client.get_run(run).info.status == "RUNNING"
    assert (own_folder / "artifacts" / run / "artifacts" / "note.txt").read_text() == "mine"


def test_cleaning_an_empty_home_creates_nothing(tmp_path):
    registry = ModelRegistry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")

    assert clean_up(registry, RetentionRules())["bytes_freed"] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_ticker_counts_as_removed_only_if_it_was_a_partition_before():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL", "IBM"])
        for ticker in ("AAPL", "IBM"):
            instance.report_runless_asset_event(dg.AssetMaterialization("raw_prices", partition=ticker))
        instance.delete_dynamic_partition("tickers", "IBM")

        assert removed_tickers(instance) == {"IBM"}


@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
def test_the_job_takes_typed_config_and_reports_its_deletions(own_registry, monkeypatch, tmp_path):
    name = register_versions(own_registry, "JOB", 0.0, 0.0)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_registry.tracking_uri)
    config = {"ops": {"clean_model_registry": {"config": {"keep_latest_n": 0, "keep_best": True, "dry_run": True}}}}

    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("cleanup_old_models").execute_in_process(run_config=config, instance=instance)

    (event,) = result.filter_events(lambda event: event.event_type_value == "STEP_OUTPUT")
    metadata = event.event_specific_data.metadata
    assert metadata["dry_run"].value is True
    assert metadata["versions_deleted"].value >= 1
    assert f"| {name} | 2 (best, Candidate) | 1 (old) |" in metadata["report"].value
    assert numbers(own_registry, name) == [2, 1]


def promote_in_turn(uri, root, ticker, barrier):
    registry = ModelRegistry(uri, Path(root))
    registry.production(f"ensemble-{ticker}")
    barrier.wait(timeout=PATIENCE)
    for version in (1, 2, 3, 4):
        if version in [one.version for one in registry.versions(f"ensemble-{ticker}")]:
            try:
                force(registry, ticker, version)
            except Exception as error:
                assert "has no version" in str(error)


@pytest.mark.slow
def test_concurrent_clean_up_and_promotions_never_lose_production(own_registry, own_folder):
    name, barrier = register_versions(own_registry, "ATONCE", 0.0, 0.0, 0.0, 0.0, 0.0), forked.FORKED.Barrier(2)
    force(own_registry, "ATONCE", 5)
    root = own_folder / "artifacts"
    promoter = forked.start(promote_in_turn, own_registry.tracking_uri, root, "ATONCE", barrier)
    barrier.wait(timeout=PATIENCE)

    production = []
    while promoter.is_alive():
        clean_up(own_registry, RetentionRules(keep_latest_n=0, keep_best=False))
        production.append(own_registry.production(name))
    promoter.join()

    assert promoter.exitcode == 0
    assert all(production)
    assert own_registry.load(name, own_registry.production(name).version)
