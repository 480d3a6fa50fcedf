"""A folder in which several workers' metrics meet. To be had before `prometheus_client` is imported anywhere."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

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


def forget_worker(pid: int) -> None:
    """For the parent, when a worker has ended: its counts stay, what it held in memory does not."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
