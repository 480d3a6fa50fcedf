"""Files that are there whole or not at all."""

import os
import time
from contextlib import suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

LEFT_BEHIND_SECONDS = 3600.0  # no write takes as long: what is older was left by a process that was killed


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, then rename. A failure leaves the old file intact.

    A process killed in between leaves its temporary file behind; the next write of `path` an hour later removes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    # Not tempfile: its files are unreadable for other users, such as a serving process of its own.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sweep(path: Path) -> None:
    """Remove the temporary files of earlier writes of `path` that nobody is writing any more."""
    for temporary in path.parent.glob(f".{escape(path.name)}.{'[0-9a-f]' * 32}"):
        with suppress(FileNotFoundError):  # somebody else was quicker
            if time.time() - temporary.stat().st_mtime > LEFT_BEHIND_SECONDS:
                temporary.unlink()


def _flush_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power loss. Windows flushes it by itself, and opens no folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
