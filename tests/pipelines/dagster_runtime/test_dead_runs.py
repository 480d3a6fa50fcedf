"""A run is dead if the lock of its process can be acquired. The tests take and release locks as processes do."""

import dagster as dg
import pytest
from filelock import FileLock

from tests.empty_databases import put_dagster_databases
from zenith_pipelines.dagster_runtime.dead_runs import REASON, fail_dead_run, fail_dead_runs
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.run_locks import hold_run_lock
from zenith_pipelines.settings import Settings

POOL = "price_sources"

pytestmark = pytest.mark.slow  # several databases of Dagster each


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        settings = Settings(zenith_home=tmp_path_factory.mktemp("home"))
        put_dagster_databases(settings.home)
        with open_instance(settings) as instance:
            instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        yield settings


@pytest.fixture
def start(settings):
    """Start a run that holds a slot of the pool, as a run does during a fetch; return its id."""

    def start():
        with open_instance(settings) as instance:
            run = instance.create_run_for_job(dg.GraphDefinition("fetch").to_job())
            instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", "fetch"), run_id=run.run_id)
            assert instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "raw_prices").is_claimed
        return run.run_id

    return start


def status(settings, run_id):
    with open_instance(settings) as instance:
        return instance.get_run_by_id(run_id).status.value


def holders(settings):
    with open_instance(settings) as instance:
        return {slot.run_id for slot in instance.event_log_storage.get_concurrency_info(POOL).claimed_slots}


def marks(settings):
    return [path.stem for path in (settings.home / "dagster" / "alive").glob("*.lock")]


def kill(settings, run_id):
    """Leave the mark of a killed process: the file, without a process that holds its lock."""
    with pytest.raises(KeyboardInterrupt), hold_run_lock(settings, run_id):
        raise KeyboardInterrupt


def test_a_run_whose_process_was_killed_is_failed_and_its_slot_is_freed(settings, start):
    run_id = start()
    kill(settings, run_id)
    assert (status(settings, run_id), holders(settings)) == ("STARTED", {run_id})

    fail_dead_runs(settings)

    assert (status(settings, run_id), holders(settings), marks(settings)) == ("FAILURE", set(), [])
    with open_instance(settings) as instance:
        assert [log.message for log in instance.all_logs(run_id, dg.DagsterEventType.PIPELINE_FAILURE)] == [REASON]


def test_a_run_whose_process_is_alive_is_left_alone(settings, start):
    run_id = start()

    with hold_run_lock(settings, run_id):
        fail_dead_runs(settings)
        assert (status(settings, run_id), holders(settings), marks(settings)) == ("STARTED", {run_id}, [run_id])

    fail_dead_run(settings, run_id)


def test_a_run_that_ended_leaves_no_mark(settings, start, monkeypatch):
    run_id = start()
    with hold_run_lock(settings, run_id):
        pass
    assert marks(settings) == []

    monkeypatch.setattr(
        "zenith_pipelines.dagster_runtime.dead_runs.open_instance", lambda _: pytest.fail("the instance was opened")
    )
    fail_dead_runs(settings)

    monkeypatch.undo()
    fail_dead_run(settings, run_id)


def test_a_finished_run_keeps_its_status_and_its_slot_is_freed(settings, start):
    run_id = start()
    with open_instance(settings) as instance:
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", "fetch"), run_id=run_id)
    kill(settings, run_id)

    fail_dead_runs(settings)

    assert (status(settings, run_id), holders(settings), marks(settings)) == ("SUCCESS", set(), [])


def test_a_run_that_does_not_exist_is_ignored(settings):
    fail_dead_run(settings, "8a2e0d3c-0000-0000-0000-000000000000")

    assert marks(settings) == []


def test_a_run_that_another_process_is_failing_is_left_alone(settings, start):
    run_id = start()
    kill(settings, run_id)

    with FileLock(settings.home / "dagster" / "alive" / f"{run_id}.lock"):
        fail_dead_runs(settings)
        assert status(settings, run_id) == "STARTED"

    fail_dead_run(settings, run_id)
    assert status(settings, run_id) == "FAILURE"
