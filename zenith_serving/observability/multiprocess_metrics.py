"""The shared metrics folder of several workers. It must exist before `prometheus_client` is imported anywhere."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name for it


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Make the folder and name it in the environment, for workers that are started inside the block."""
    parent = os.environ.get(FOLDER_VARIABLE)
    folder = tempfile.mkdtemp(prefix="zenith-metrics-", dir=parent)
    os.environ[FOLDER_VARIABLE] = folder
    try:
        yield
    finally:
        if parent is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = parent
        shutil.rmtree(folder, ignore_errors=True)


def forget_dead_workers() -> None:
    """Drop the live gauges of workers that have ended; their counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    for path in Path(os.environ[FOLDER_VARIABLE]).glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not _is_running(pid):
            with suppress(FileNotFoundError):  # another worker was faster
                mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
