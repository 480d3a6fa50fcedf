"""Runs whose process died without a word, and what they leave in Dagster: a run that is started for ever, and a slot of
a pool that no other run gets.

A run's process holds a lock on a file of its own while it works. The system lets go of the lock when the process ends,
in whatever way, and a process id that is used again cannot be mistaken for it. So a lock that can be had, of a run that
is not finished, is the mark of a dead one. The files lie beside the instance that the runs belong to.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from zenith_core.errors import RunEnded
from zenith_pipelines.instance import dagster_home, open_instance
from zenith_pipelines.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

REASON = "the process of the run was killed"


@contextmanager
def alive(settings: Settings, run_id: str) -> Iterator[None]:
    """Within, the run counts as alive; it may be entered again within. The file stays if an error passes through: its
    run may need a burial.
    """
    path = _lock_file(settings, run_id)
    lock = FileLock(path, thread_local=False, is_singleton=True)  # the process's own, so that it nests
    with lock:
        yield
    if not lock.is_locked:
        path.unlink(missing_ok=True)


def bury_orphans(settings: Settings) -> list[str]:
    """Bury every unfinished run whose process is gone; return their ids. Without any the instance is not opened."""
    buried = []
    for path in _folder(settings).glob("*.lock"):
        with suppress(Timeout):  # its process lives, or somebody is burying it
            if _bury(settings, path, blocking=False):
                buried.append(path.stem)
    return buried


def bury(settings: Settings, run_id: str) -> None:
    """Bury one run whose process is known to be gone, unless somebody did so already."""
    _bury(settings, _lock_file(settings, run_id), blocking=True)


def require_unfinished(instance: "dg.DagsterInstance", run_id: str) -> None:
    """Raise RunEnded if the run is over as far as Dagster knows: a step that outlived its run must not write."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        what = "deleted" if run is None else f"ended ({run.status.value.lower()})"
        raise RunEnded(f"run {run_id} was {what} while it worked, and may not write any more: nothing is written")


def _bury(settings: Settings, path: Path, *, blocking: bool) -> bool:
    """Record the failure, and free the slots of pools that the run held or waited for: or others would for ever.

    Whether there was a failure to record.
    """
    with FileLock(path, blocking=blocking), open_instance(settings) as instance:
        run = instance.get_run_by_id(path.stem)
        unfinished = run is not None and not run.is_finished
        if run and unfinished:
            instance.report_run_failed(run, message=REASON)
        instance.event_log_storage.free_concurrency_slots_for_run(path.stem)
    path.unlink(missing_ok=True)
    return unfinished


def _lock_file(settings: Settings, run_id: str) -> Path:
    return _folder(settings) / f"{run_id}.lock"


def _folder(settings: Settings) -> Path:
    folder = dagster_home(settings) / "alive"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
