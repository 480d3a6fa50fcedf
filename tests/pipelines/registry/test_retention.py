"""What clean-up keeps and why, on a real MLflow registry; what it must not delete; and what it may free."""

import multiprocessing
import shutil
from pathlib import Path

import dagster as dg
import pytest

from tests.pipelines.synthetic_models import current_data, market, register_version
from zenith_core.errors import UserError
from zenith_pipelines.dagster_runtime.instance import removed_tickers
from zenith_pipelines.definitions import defs
from zenith_pipelines.production.promotion import promote, promote_if_better, roll_back
from zenith_pipelines.registry import artifact_storage as model_storage
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.registry.retention import Rules, clean_up, cleanup_table, keepers
from zenith_pipelines.registry.trials import sharpes_tried

# MLflow 3.17 warns of itself, on its first use and on the import of its pyfunc.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]

FEATURES = market(sessions=150)


@pytest.fixture(scope="module")
def own_place(tmp_path_factory):
    return tmp_path_factory.mktemp("cleaned")


@pytest.fixture(scope="module")
def own_registry(own_place):
    """Clean-up goes through the whole registry, so this one is not shared with other modules."""
    return Delayed(f"sqlite:///{own_place}/mlflow.db", own_place / "artifacts")


class Delayed(ModelRegistry):
    """`meanwhile` is called once, right before the lock of a model is given out."""

    meanwhile = None

    def lock(self, name):
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()
        return super().lock(name)


@pytest.fixture
def an_hour_later(monkeypatch):
    monkeypatch.setattr(model_storage, "GRACE_SECONDS", -10.0)


def trained(registry, ticker, *skills):
    """A version for each skill, of the ensemble of a ticker; none is promoted."""
    for skill in skills:
        register_version(registry, "ensemble", ticker, FEATURES, first=140, skill=skill)
    return f"ensemble-{ticker}"


def forced(registry, ticker, *versions):
    for version in versions:
        promote(registry, "ensemble", version, current_data(ticker, FEATURES), force=True, reason="test")


def numbers(registry, name):
    return [version.version for version in registry.versions(name)]


def on_disk(place):
    return sum(path.stat().st_size for path in (place / "artifacts").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (Rules(2), {6: ["latest", "Candidate"], 5: ["latest"], 3: ["Production"], 2: ["best"], 1: ["rollback"]}),
        (Rules(2, keep_best=False), {6: ["latest", "Candidate"], 5: ["latest"], 3: ["Production"], 1: ["rollback"]}),
        (Rules(0), {6: ["Candidate"], 3: ["Production"], 2: ["best"], 1: ["rollback"]}),
    ],
)
def test_the_latest_the_best_the_aliased_and_the_way_back_are_kept(rules, kept):
    losses = {1: 1.1, 2: 0.9, 4: 1.0, 5: 0.95}

    assert keepers([1, 2, 3, 4, 5, 6], losses, {"Production": 3, "Candidate": 6}, 1, rules) == kept


def test_of_equally_good_versions_the_newer_one_is_the_best():
    assert keepers([1, 2, 3], {1: 0.9, 2: 0.9}, {}, None, Rules(0)) == {2: ["best"]}
    assert keepers([1], {}, {}, None, Rules(0)) == {}


def test_a_negative_number_to_keep_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"^keep_latest_n -1: expected 0 or more$"):
        Rules(keep_latest_n=-1)


def test_what_is_not_kept_goes_with_its_artifacts_and_the_bytes_are_told(own_registry, own_place):
    name = trained(own_registry, "OLD", 0.01, 0.09, 0.02, 0.03, 0.04, 0.05)
    forced(own_registry, "OLD", 1, 3)
    runs = {version.version: version.run_id for version in own_registry.versions(name)}
    before = on_disk(own_place)
    rules = Rules(keep_latest_n=2)

    planned = clean_up(own_registry, Rules(keep_latest_n=2, dry_run=True))
    assert numbers(own_registry, name) == [6, 5, 4, 3, 2, 1]
    assert on_disk(own_place) == before
    done = clean_up(own_registry, rules)

    assert done == {**planned, "dry_run": False}
    told = done["models"][name]
    assert list(told["kept"]) == ["6", "5", "3", "2", "1"]
    assert [(one["version"], one["why"]) for one in told["deleted"]] == [(4, "old")]
    assert numbers(own_registry, name) == [6, 5, 3, 2, 1]
    assert done["bytes_freed"] == before - on_disk(own_place) > 1000
    assert not [path for path in (own_place / "artifacts").rglob("*") if path.is_file() and runs[4] in str(path)]
    assert f"| {name} | 6 (latest, Candidate), 5 (latest), " in cleanup_table(done)
    assert clean_up(own_registry, rules)["bytes_freed"] == 0


def test_trials_and_history_outlive_what_is_deleted(own_registry):
    name = trained(own_registry, "TRIED", 0.01, 0.02, 0.03)
    for version in (1, 2, 3):
        figures = {"backtest/long/sharpe": version / 10}
        own_registry.log_metrics(name, version, figures, tags={"backtest_of": name})
        promote_if_better(own_registry, "ensemble", version, current_data("TRIED", FEATURES))
    promoted = [(one.version, one.outcome) for one in decision_history(own_registry, name)]

    clean_up(own_registry, Rules(keep_latest_n=1, keep_best=False))

    assert numbers(own_registry, name) == [3, 2]  # 2 is what a rollback needs
    assert sharpes_tried(own_registry, name) == [0.1, 0.2, 0.3]
    assert [(one.version, one.outcome) for one in decision_history(own_registry, name)] == promoted
    assert roll_back(own_registry, "ensemble", current_data("TRIED", FEATURES), reason=None)["production"] == 2


def test_a_version_that_is_promoted_between_plan_and_deletion_stays(own_registry, own_place):
    name = trained(own_registry, "RACED", 0.0, 0.0)
    elsewhere = ModelRegistry(own_registry.tracking_uri, own_place / "artifacts")
    forced(own_registry, "RACED", 2)
    own_registry.meanwhile = lambda: forced(elsewhere, "RACED", 1)

    done = clean_up(own_registry, Rules(keep_latest_n=0, keep_best=False))

    assert own_registry.meanwhile is None
    assert done["models"][name]["deleted"] == []
    assert own_registry.production(name).version == 1


def test_a_removed_ticker_loses_its_models_and_nobody_else_does(own_registry):
    gone, stays = trained(own_registry, "REMOVED", 0.0, 0.0), trained(own_registry, "REMOVE", 0.0)
    forced(own_registry, "REMOVED", 2)

    done = clean_up(own_registry, Rules(), {"REMOVED", "UNHEARD"})

    assert [one["why"] for one in done["models"][gone]["deleted"]] == ["ticker removed"] * 2
    assert gone not in own_registry.names()
    assert own_registry.production(gone) is None
    assert numbers(own_registry, stays) == [1]
    assert [one.version for one in decision_history(own_registry, gone)] == [2]


def test_a_version_without_artifacts_goes_unless_an_alias_needs_it(own_registry, an_hour_later):
    name = trained(own_registry, "EMPTY", 0.0, 0.0, 0.0)
    forced(own_registry, "EMPTY", 1)
    for version in (1, 2):
        source = own_registry.client.get_model_version(name, str(version)).source
        shutil.rmtree(source.removeprefix("file://"))

    told = clean_up(own_registry, Rules())["models"][name]

    assert [(one["version"], one["why"]) for one in told["deleted"]] == [(2, "without artifacts")]
    assert told["broken"] == [1]
    assert own_registry.production(name).version == 1


@pytest.mark.parametrize("at", ["log_model_artifacts", "create_model_version"])
def test_what_a_failed_registration_left_is_swept_after_an_hour(own_registry, own_place, monkeypatch, at):
    before = on_disk(own_place)

    def full(*_, **__):
        raise OSError("No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(own_registry.client, at, full)
        trained(own_registry, "FAILED", 0.0)
    left = on_disk(own_place) - before
    assert left > 0
    assert clean_up(own_registry, Rules())["leftovers"] == []  # it might be going on

    monkeypatch.setattr(model_storage, "GRACE_SECONDS", -10.0)
    planned, done = clean_up(own_registry, Rules(dry_run=True)), clean_up(own_registry, Rules())

    assert done["leftovers"] == planned["leftovers"]
    assert {one["what"] for one in done["leftovers"]} == {
        "model without version",
        "artifacts of a run without version",
    }
    assert done["bytes_freed"] == left
    assert on_disk(own_place) == before
    assert clean_up(own_registry, Rules())["leftovers"] == []


def test_a_run_whose_process_was_killed_is_ended(own_registry, an_hour_later):
    client = own_registry.client
    run = client.create_run(own_registry.experiment_id, tags={"kind": "lstm"}, run_name="lstm-KILLED").info.run_id

    clean_up(own_registry, Rules())

    assert client.get_run(run).info.status == "KILLED"


def test_runs_and_models_of_others_in_the_experiment_are_left_alone(own_registry, own_place, an_hour_later):
    client = own_registry.client
    run = client.create_run(own_registry.experiment_id, run_name="a notebook").info.run_id
    client.log_text(run, "mine", "note.txt")

    clean_up(own_registry, Rules())

    assert client.get_run(run).info.status == "RUNNING"
    assert (own_place / "artifacts" / run / "artifacts" / "note.txt").read_text() == "mine"


def test_where_nothing_was_ever_trained_nothing_is_made(tmp_path):
    registry = ModelRegistry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")

    assert clean_up(registry, Rules())["bytes_freed"] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_ticker_counts_as_removed_only_where_it_was_a_partition_once():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL", "IBM"])
        for ticker in ("AAPL", "IBM"):
            instance.report_runless_asset_event(dg.AssetMaterialization("raw_prices", partition=ticker))
        instance.delete_dynamic_partition("tickers", "IBM")

        assert removed_tickers(instance) == {"IBM"}


@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")
def test_the_job_cleans_with_typed_config_and_shows_what_it_did(own_registry, monkeypatch, tmp_path):
    name = trained(own_registry, "JOB", 0.0, 0.0)
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
    barrier.wait(timeout=120)
    for version in (1, 2, 3, 4):
        if version in [found.version for found in registry.versions(f"ensemble-{ticker}")]:
            try:
                forced(registry, ticker, version)
            except Exception as error:
                assert "has no version" in str(error)


@pytest.mark.slow
def test_clean_up_and_promotions_at_once_never_lose_production(own_registry, own_place):
    spawn = multiprocessing.get_context("spawn")
    name, barrier = trained(own_registry, "ATONCE", 0.0, 0.0, 0.0, 0.0, 0.0), spawn.Barrier(2)
    forced(own_registry, "ATONCE", 5)
    promoter = spawn.Process(
        target=promote_in_turn, args=(own_registry.tracking_uri, own_place / "artifacts", "ATONCE", barrier)
    )
    promoter.start()
    barrier.wait(timeout=120)

    seen = []
    while promoter.is_alive():
        clean_up(own_registry, Rules(keep_latest_n=0, keep_best=False))
        seen.append(own_registry.production(name))
    promoter.join()

    assert promoter.exitcode == 0
    assert all(seen)
    assert own_registry.load(name, own_registry.production(name).version)
