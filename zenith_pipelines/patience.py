"""How long this process waits for a server or a lock, and what it says meanwhile.

A run waits longer than a command: hours of training depend on it, and nobody sits before it.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

COMMAND_SECONDS = 8
RUN_SECONDS = 60
_LEAST_SECONDS = 3  # a busy server or a lock of a moment needs them
_LOCK_SECONDS = 120  # for another process that creates databases, which takes long on a busy machine
_SILENT_SECONDS = 5.0  # of a wait, before it is said
_said: set[str] = set()
_state: dict[str, float | None] = {"deadline": None}  # of a command, by the monotonic clock


def be_brief() -> None:
    """Wait as a command does, in which a person waits too.

    The time of all its waits, and of what it does before them, is one budget.
    """
    _said.clear()
    _state["deadline"] = time.monotonic() + COMMAND_SECONDS


def renew_budget() -> None:
    """Begin the budget of a command again after hours of work. A run has none."""
    if is_brief():
        _state["deadline"] = time.monotonic() + COMMAND_SECONDS


def be_patient() -> None:
    """Wait as a run does."""
    _state["deadline"] = None


def wait_seconds() -> int:
    """Return the number of seconds to wait."""
    deadline = _state["deadline"]
    if deadline is None:
        return RUN_SECONDS
    return max(round(deadline - time.monotonic()), min(_LEAST_SECONDS, COMMAND_SECONDS))


def is_brief() -> bool:
    """Return True in a command."""
    return _state["deadline"] is not None


@contextmanager
def waiting_for(name: str) -> Iterator[None]:
    """Say on stderr what this process waits for, once for each name, if the context takes longer than a moment.

    name:  a server, a lock or a setting that names one
    """
    if name in _said:
        yield
        return
    timer = threading.Timer(_SILENT_SECONDS, _say, [name])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(name: str) -> None:
    if name not in _said:
        _said.add(name)
        sys.stderr.write(f"zenith: waiting for {name}\n")


@contextmanager
def patient_lock(lock: "BaseFileLock") -> Iterator[None]:
    """Hold a lock that other processes hold for a moment only."""
    with waiting_for(f"another process that holds {lock.lock_file}"):
        lock.acquire(timeout=_LOCK_SECONDS)
    try:
        yield
    finally:
        lock.release()
