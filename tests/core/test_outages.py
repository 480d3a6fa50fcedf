"""Texts of other libraries' errors, as they were seen, and the line that people read."""

import errno
import os

import pytest

from zenith_core.outages import describe_error, describe_outage


@pytest.mark.parametrize(
    ("class_name", "message", "beginning"),
    [
        ("OSError", "[Errno 28] No space left on device: '/home/x'", "no space left on the disk"),
        ("OperationalError", "(sqlite3.OperationalError) database or disk is full", "no space left on the disk"),
        ("OperationalError", "(sqlite3.OperationalError) disk I/O error", "the disk of the SQLite database failed"),
        ("OSError", "[Errno 27] File too large", "no file can grow further"),
        ("MemoryError", "", "out of memory"),
        ("ArrayMemoryError", "Unable to allocate 8.0 GiB for an array with shape (2,)", "out of memory"),
        ("XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory allocating 12 bytes", "out of memory"),
        ("OSError", "[Errno 12] Cannot allocate memory", "out of memory"),
        ("ImportError", "/a/lib.so: failed to map segment from shared object", "out of memory"),
        ("RuntimeError", "can't start new thread", "out of memory"),
        (
            "",
            "Run execution process for 1 was terminated by signal 9 (SIGKILL). This usually indicates that the process"
            " was killed by the operating system",
            "the process of the run was killed (SIGKILL): by a person, or by the system because it was out of memory",
        ),
        (
            "",
            "Run execution process for 1 was terminated by signal 15 (SIGTERM).",
            "the process of the run was killed (SIGTERM)",
        ),
        (
            "ChildProcessCrashException",
            "step lstm_model crashed with exit code -9",
            "the process of the run was killed (SIGKILL)",
        ),
        (
            "",
            "Run execution process for 1 unexpectedly exited with code 3.",
            "the process of the run ended with status 3",
        ),
        ("OperationalError", "(sqlite3.OperationalError) database is locked", "the SQLite database is locked"),
        (
            "Timeout",
            "The file lock '/h/.dagster.lock' could not be acquired.",
            "another process holds /h/.dagster.lock",
        ),
        ("OperationalError", "attempt to write a readonly database", "the database or folder is read only"),
        ("DatabaseError", "file is not a database", "the SQLite database is damaged"),
        (
            "MlflowException",
            "API request to http://h/api failed with exception HTTPConnectionPool: [Errno 111] Connection refused'))",
            "the MLflow server does not answer: Connection refused",
        ),
        (
            "OperationalError",
            '(psycopg.OperationalError) connection failed: connection to server at "h", port 1 failed: refused\nmore',
            'connection to server at "h", port 1 failed: refused',
        ),
    ],
)
def test_an_outage_is_one_line(class_name, message, beginning):
    line = describe_outage(class_name, message)

    assert line.startswith(beginning)
    assert "\n" not in line


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("database"), RuntimeError("connection of two assets")])
def test_other_errors_are_not_described(error):
    assert describe_error(error) is None


def test_the_cause_is_found_below_the_error():
    try:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise RuntimeError("the step failed") from error
    except RuntimeError as error:
        assert describe_error(error).startswith("no space left on the disk")


def test_a_file_that_cannot_be_used_is_named():
    assert describe_error(PermissionError(errno.EACCES, "Permission denied", "/h/x")) == "/h/x: Permission denied"
