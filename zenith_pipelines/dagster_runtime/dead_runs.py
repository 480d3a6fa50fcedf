"""Runs whose process was killed: in Dagster they stay started for ever and keep their slots of pools.

The process of a run holds a lock while it works (`run_locks`). A process id that is used again cannot be mistaken for
it. So an unfinished run whose lock can be acquired is dead.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from filelock import Timeout

from zenith_core.errors import RunEnded
from zenith_core.outages import KILLED
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.run_locks import RunLocks, run_locks
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

REASON = KILLED


def fail_dead_runs(settings: Settings) -> list[str]:
    """Fail every dead run; return the ids. The instance is opened only if a lock is free."""
    locks = run_locks(settings)
    dead = []
    for run_id in locks.possibly_dead():
        with suppress(Timeout):  # its process is alive, or another process is failing it
            if _fail_dead_run(settings, locks, run_id, blocking=False):
                dead.append(run_id)
    return dead


def fail_dead_run(settings: Settings, run_id: str) -> None:
    """Fail one run whose process is known to be dead, unless another process has done so."""
    _fail_dead_run(settings, run_locks(settings), run_id, blocking=True)


def require_unfinished(instance: "dg.DagsterInstance", run_id: str) -> None:
    """Raise RunEnded if Dagster has ended or deleted the run: a step that outlives its run must not write."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        end = "deleted" if run is None else f"ended ({run.status.value.lower()})"
        raise RunEnded(f"run {run_id} was {end} while it worked, and may not write any more: nothing is written")


def earlier_attempts(instance: "dg.DagsterInstance", run_id: str) -> set[str]:
    """Return the ids of the dead runs that Dagster's daemon, or a batch, retries by this run.

    A run that a person repeats is new.
    """
    from dagster._core.storage.tags import PARENT_RUN_ID_TAG, RETRY_NUMBER_TAG

    attempts: set[str] = set()
    run = instance.get_run_by_id(run_id)
    while run and RETRY_NUMBER_TAG in run.tags and (parent := run.parent_run_id or run.tags.get(PARENT_RUN_ID_TAG)):
        attempts.add(parent)
        run = instance.get_run_by_id(parent)
    return attempts


def _fail_dead_run(settings: Settings, locks: RunLocks, run_id: str, *, blocking: bool) -> bool:
    """Record the end of the run and free its slots of pools. Return False if its end was recorded before."""
    import dagster as dg

    with locks.acquire_dead(run_id, blocking=blocking), open_instance(settings) as instance:
        run = instance.get_run_by_id(run_id)
        is_open = run is not None and not run.is_finished
        if run and is_open:
            if run.status is dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, message=REASON)
            else:
                instance.report_run_failed(run, message=REASON)
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return is_open
