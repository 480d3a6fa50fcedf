"""How long this process waits for a server or a lock.

A run waits longer than a command: hours of training depend on it, and nobody sits before it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

COMMAND_SECONDS = 8
RUN_SECONDS = 60
_LOCK_SECONDS = 120  # for another process that creates databases, which takes long on a busy machine
_state = {"seconds": RUN_SECONDS}


def be_brief() -> None:
    """Wait as a command does, in which a person waits too."""
    _state["seconds"] = COMMAND_SECONDS


def be_patient() -> None:
    """Wait as a run does."""
    _state["seconds"] = RUN_SECONDS


def wait_seconds() -> int:
    """Return the number of seconds to wait."""
    return _state["seconds"]


def is_brief() -> bool:
    """Return True in a command."""
    return wait_seconds() == COMMAND_SECONDS


@contextmanager
def patient_lock(lock: "BaseFileLock") -> Iterator[None]:
    """Hold a lock that other processes hold for a moment only. A longer wait is said on stderr."""
    from filelock import Timeout

    try:
        lock.acquire(timeout=COMMAND_SECONDS)
    except Timeout:
        sys.stderr.write(f"zenith: waiting for another process that holds {lock.lock_file}\n")
        lock.acquire(timeout=_LOCK_SECONDS)
    try:
        yield
    finally:
        lock.release()
