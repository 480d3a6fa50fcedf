"""A run is dead if the lock of its process can be had; these stand for other processes by locking and letting go."""

import dagster as dg
import pytest
from filelock import FileLock

from zenith_pipelines.dagster_runtime.dead_runs import REASON, fail_dead_run, fail_dead_runs, hold_run_lock
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.settings import Settings

POOL = "price_sources"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        settings = Settings(zenith_home=tmp_path_factory.mktemp("home"))
        with open_instance(settings) as instance:
            instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        yield settings


@pytest.fixture
def start(settings):
    """Start a run that holds a slot of the pool, as one in mid-fetch does; return its id."""

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


def files(settings):
    return [path.stem for path in (settings.home / "dagster" / "alive").glob("*.lock")]


def killed(settings, run_id):
    """What a process leaves that is killed at its work: the file, and nobody who holds its lock."""
    with pytest.raises(KeyboardInterrupt), hold_run_lock(settings, run_id):
        raise KeyboardInterrupt


def test_a_run_whose_process_is_gone_is_buried_and_its_slot_is_free(settings, start):
    run_id = start()
    killed(settings, run_id)
    assert (status(settings, run_id), holders(settings)) == ("STARTED", {run_id})

    fail_dead_runs(settings)

    assert (status(settings, run_id), holders(settings), files(settings)) == ("FAILURE", set(), [])
    with open_instance(settings) as instance:
        assert [log.message for log in instance.all_logs(run_id, dg.DagsterEventType.PIPELINE_FAILURE)] == [REASON]


def test_a_run_whose_process_lives_is_left_alone(settings, start):
    run_id = start()

    with hold_run_lock(settings, run_id):
        fail_dead_runs(settings)
        assert (status(settings, run_id), holders(settings), files(settings)) == ("STARTED", {run_id}, [run_id])

    fail_dead_run(settings, run_id)


def test_a_run_that_ended_leaves_nothing_to_bury(settings, start, monkeypatch):
    run_id = start()
    with hold_run_lock(settings, run_id):
        pass
    assert files(settings) == []

    monkeypatch.setattr(
        "zenith_pipelines.dagster_runtime.dead_runs.open_instance", lambda _: pytest.fail("the instance was opened")
    )
    fail_dead_runs(settings)

    monkeypatch.undo()
    fail_dead_run(settings, run_id)


def test_a_run_that_is_finished_keeps_its_status_and_only_its_slot_is_freed(settings, start):
    run_id = start()
    with open_instance(settings) as instance:
        instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", "fetch"), run_id=run_id)
    killed(settings, run_id)

    fail_dead_runs(settings)

    assert (status(settings, run_id), holders(settings), files(settings)) == ("SUCCESS", set(), [])


def test_a_run_that_never_came_to_be_is_buried_without_ado(settings):
    fail_dead_run(settings, "8a2e0d3c-0000-0000-0000-000000000000")

    assert files(settings) == []


def test_a_run_that_somebody_is_burying_is_left_to_him(settings, start):
    run_id = start()
    killed(settings, run_id)

    with FileLock(settings.home / "dagster" / "alive" / f"{run_id}.lock"):
        fail_dead_runs(settings)
        assert status(settings, run_id) == "STARTED"

    fail_dead_run(settings, run_id)
    assert status(settings, run_id) == "FAILURE"
