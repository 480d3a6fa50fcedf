"""Runs whose process died without a word, and what they leave in Dagster: a run that is started for ever, and a slot of
a pool that no other run gets.

A run's process holds a lock of its own while it works, which ends with the process in whatever way, and a process id
that is used again cannot be mistaken for it. So a lock that can be had, of a run that is not finished, is the mark of a
dead one.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import Timeout

from zenith_core.errors import RunEnded
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.dagster_runtime.run_locks import RunLocks, run_locks
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

REASON = "the process of the run was killed"


@contextmanager
def hold_run_lock(settings: Settings, run_id: str) -> Iterator[None]:
    """Within, the run counts as alive; it may be entered again within. If an error passes through, the run may need a
    burial, and gets it. Raises StorageUnavailable.
    """
    with _locks(settings).hold(run_id):
        yield


def fail_dead_runs(settings: Settings) -> list[str]:
    """Bury every unfinished run whose process is gone; return their ids. Without any the instance is not opened."""
    locks = _locks(settings)
    buried = []
    for run_id in locks.possibly_dead():
        with suppress(Timeout):  # its process lives, or somebody is burying it
            if _fail_dead_run(settings, locks, run_id, blocking=False):
                buried.append(run_id)
    return buried


def fail_dead_run(settings: Settings, run_id: str) -> None:
    """Bury one run whose process is known to be gone, unless somebody did so already."""
    _fail_dead_run(settings, _locks(settings), run_id, blocking=True)


def require_unfinished(instance: "dg.DagsterInstance", run_id: str) -> None:
    """Raise RunEnded if the run is over as far as Dagster knows: a step that outlived its run must not write."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        what = "deleted" if run is None else f"ended ({run.status.value.lower()})"
        raise RunEnded(f"run {run_id} was {what} while it worked, and may not write any more: nothing is written")


def attempts_before(instance: "dg.DagsterInstance", run_id: str) -> set[str]:
    """The ids of the runs that died and that Dagster's daemon repeats by this one. What a person repeats is new."""
    from dagster._core.storage.tags import RETRY_NUMBER_TAG

    before: set[str] = set()
    repeats = instance.get_run_by_id(run_id)
    while repeats and RETRY_NUMBER_TAG in repeats.tags and repeats.parent_run_id:
        before.add(repeats.parent_run_id)
        repeats = instance.get_run_by_id(repeats.parent_run_id)
    return before


def _fail_dead_run(settings: Settings, locks: RunLocks, run_id: str, *, blocking: bool) -> bool:
    """Record the end, and free the slots of pools that the run held or waited for: or others would for ever.

    Whether there was an end to record.
    """
    import dagster as dg

    with locks.acquire_dead(run_id, blocking=blocking), open_instance(settings) as instance:
        run = instance.get_run_by_id(run_id)
        unfinished = run is not None and not run.is_finished
        if run and unfinished:
            if run.status is dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, message=REASON)
            else:
                instance.report_run_failed(run, message=REASON)
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return unfinished


def _locks(settings: Settings) -> RunLocks:
    return run_locks(settings, dagster_home(settings))
