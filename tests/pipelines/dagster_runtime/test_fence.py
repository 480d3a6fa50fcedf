"""A step that outlives its run writes nothing: the run was failed, canceled or deleted while the step worked."""

import dagster as dg
import pytest
from filelock import FileLock, Timeout

from tests.pipelines.registry.test_model_registry import tiny_model
from tests.pipelines.synthetic_models import current_data, market, register_version
from zenith_core.errors import NotAvailable
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.partitions import ticker_partitions
from zenith_pipelines.defs.resources import ZenithResource, resources
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.registry.decision_log import decision_history
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's own, of itself
]

DATASET = Dataset(facts={"rows": 3})
FACTS = {"metrics": {}, "params": {}, "tags": {"data_end": "2013-03-01"}}


def fail(context):
    context.instance.report_run_failed(context.run)


def cancel(context):
    context.instance.report_run_canceled(context.run)


def delete(context):
    context.instance.delete_run(context.run.run_id)


def leave_alone(_):
    pass


@pytest.fixture
def settings(tmp_path, registry_dir, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{registry_dir}/mlflow.db")
    return Settings()


def outcome(work, instance=None):
    """Run `work(context, zenith)` as an asset of AAPL; return the error of its step, or None."""

    @dg.asset(partitions_def=ticker_partitions)
    def dataset(context: dg.AssetExecutionContext, zenith: ZenithResource):
        return work(context, zenith)

    with instance or dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("tickers", ["AAPL"])
        result = dg.materialize(
            [dataset], instance=instance, partition_key="AAPL", raise_on_error=False, resources=resources(Progress())
        )
    failures = [event for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    error = failures[0].step_failure_data.error if failures else None
    while error and error.cause:
        error = error.cause
    return error and error.message.strip()


@pytest.mark.parametrize(("end", "how"), [(fail, "ended (failure)"), (cancel, "ended (canceled)"), (delete, "deleted")])
def test_it_writes_no_asset_and_the_error_has_the_reason(settings, end, how):
    def work(context, zenith):
        run_ids.append(context.run.run_id)
        end(context)
        return DATASET

    run_ids = []
    store = DatasetStore(settings.data_uri)
    store.write("dataset", "AAPL", Dataset(facts={"rows": 1}), keep_history=True)

    error = outcome(work)

    assert error == (
        f"zenith_core.errors.RunEnded: run {run_ids[0]} was {how} while it worked, and may not write any more: "
        "nothing is written"
    )
    assert store.facts("dataset", "AAPL") == {"rows": 1}
    assert len(store.stamps("dataset", "AAPL")) == 1


@pytest.mark.parametrize(("end", "versions"), [(fail, []), (leave_alone, [1])])
def test_it_registers_no_version(settings, registry, end, versions):
    name = f"lstm-{end.__name__.upper()}"

    def work(context, zenith):
        end(context)
        zenith.registry.register(name, tiny_model(1.0), **FACTS)
        return DATASET

    error = outcome(work)

    assert (error is None) is bool(versions)
    assert [version.version for version in registry.versions(name)] == versions


def test_a_version_is_not_registered_if_the_run_ends_while_its_files_are_stored(registry, registry_dir):
    calls = []

    def fence():
        calls.append("fence")
        if len(calls) == 2:
            raise NotAvailable("ended")

    registry_of_run = ModelRegistry(f"sqlite:///{registry_dir}/mlflow.db", registry_dir / "artifacts", fence)
    with pytest.raises(NotAvailable, match="ended"):
        registry_of_run.register("lstm-MEANWHILE", tiny_model(1.0), **FACTS)

    assert registry.versions("lstm-MEANWHILE") == []


@pytest.mark.parametrize(("end", "production"), [(fail, 1), (leave_alone, 2)])
def test_it_moves_no_alias(settings, registry, end, production):
    name = f"ensemble-{end.__name__.upper()}"
    versions = [registry.register(name, tiny_model(factor), **FACTS).version for factor in (1.0, 2.0)]
    registry.promote(name, versions[0])

    def work(context, zenith):
        end(context)
        zenith.registry.promote(name, versions[1])
        return DATASET

    outcome(work)

    assert registry.production(name).version == production


@pytest.mark.parametrize(("end", "outcomes"), [(fail, []), (leave_alone, ["promoted"])])
def test_it_records_no_decision(settings, registry, end, outcomes):
    ticker = f"DECIDE{end.__name__.upper().replace('_', '')}"
    features = market(sessions=150)
    register_version(registry, "lstm", ticker, features, first=140)

    def work(context, zenith):
        end(context)
        promote_if_better(zenith.registry, "lstm", 1, current_data(ticker, features))
        return DATASET

    outcome(work)

    assert [decision.outcome for decision in decision_history(registry, f"lstm-{ticker}")] == outcomes
    assert ("decision" in registry.version(f"lstm-{ticker}", 1).tags) is bool(outcomes)


def test_a_run_of_a_persistent_instance_holds_its_lock_while_it_works(settings, tmp_path):
    def work(context, zenith):
        with hold_run_lock(settings, context.run.run_id):  # as `zenith run` does
            pass
        locks.extend((tmp_path / "home" / "dagster" / "alive").glob("*.lock"))
        with pytest.raises(Timeout), FileLock(locks[0], blocking=False):
            pass
        assert locks[0].stem == context.run.run_id
        return DATASET

    locks = []
    assert outcome(work, open_instance(settings)) is None

    assert len(locks) == 1
    assert not locks[0].exists()


def test_a_run_of_an_ephemeral_instance_leaves_no_file(settings, tmp_path):
    def work(context, zenith):
        zenith.settings.home.mkdir(exist_ok=True)
        assert not (tmp_path / "home" / "dagster").exists()
        return DATASET

    assert outcome(work) is None
