"""A folder in which several workers' metrics meet. To be had before `prometheus_client` is imported anywhere."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name for it


@contextmanager
def shared_metrics() -> Iterator[None]:
    """For the parent of several workers: what it starts inside finds the folder in its environment."""
    before = os.environ.get(FOLDER_VARIABLE)
    folder = tempfile.mkdtemp(prefix="zenith-metrics-", dir=before)
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before
        shutil.rmtree(folder, ignore_errors=True)


def forget_dead_workers() -> None:
    """What a worker that has ended did stays counted; what it held in memory does not."""
    from prometheus_client.multiprocess import mark_process_dead

    for path in Path(os.environ[FOLDER_VARIABLE]).glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not _is_running(pid):
            with suppress(FileNotFoundError):  # another worker does the same
                mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
