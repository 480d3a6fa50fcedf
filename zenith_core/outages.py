"""Describe failures of servers, disks, memory and signals in one line, by the texts of other libraries' errors.

The texts come from exceptions here, and from the event log of Dagster, which keeps class and message only.
"""

import re
from collections.abc import Iterator

KILLED = "the process of the run was killed"
_MEMORY = "out of memory: close other programs, or train fewer tickers at a time with --jobs 1"
_LONGEST = 240

# The first that matches decides. `{0}` is the first group of the pattern.
_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), text)
    for pattern, text in (
        (
            r"no space left on device|database or disk is full|disk quota exceeded",
            "no space left on the disk: free some; then `zenith cleanup` deletes old models and runs",
        ),
        (r"file too large", "no file can grow further: `ulimit -f`, or the file system, limits their size"),
        (
            r"^MemoryError|bad_alloc|cannot allocate memory|unable to allocate|RESOURCE_EXHAUSTED"
            r"|failed to map segment from shared object|can't start new thread",
            _MEMORY,
        ),
        (
            r"\(SIGKILL\)|exit code -9\b",
            f"{KILLED} (SIGKILL): by a person, or by the system because it was out of memory",
        ),
        (r"(?:was terminated by signal \d+ )?\((SIG[A-Z]+)\)", f"{KILLED} ({{0}})"),
        (
            r"process for \S+ unexpectedly exited with code (-?\d+)",
            "the process of the run ended with status {0}: its compute log in the Dagster UI has its last lines",
        ),
        (r"database (?:table )?is locked", "the SQLite database is locked by another process: try again when it ends"),
        (r"the file lock '([^']*)' could not be acquired", "another process holds {0}: try again when it ends"),
        (r"readonly database|read-only file system", "the database or folder is read only: make it writable"),
        (r"unable to open database file", "the SQLite database cannot be opened: does its folder exist?"),
        (r"disk I/O error", "the disk of the SQLite database failed or is full (disk I/O error)"),
        (r"is not a database|database disk image is malformed", "the SQLite database is damaged: restore a backup"),
        (r"^MlflowException.*API request to.*(connection refused)", "the MLflow server does not answer: {0}"),
        (r"^MlflowException.*API request to.*(timed? ?out)", "the MLflow server does not answer: {0}"),
        (
            r"^MlflowException.*API request to.*(name or service not known|name resolution)",
            "the MLflow server does not answer: its name is unknown",
        ),
        (r"^MlflowException.*(API request to .*failed with .{0,80})", "the MLflow server does not answer: {0}"),
        (r"^(?:\w*OperationalError|DagsterPostgresException).*?(connection to server[^\n]*)", "{0}"),
        (r"^(?:\w*OperationalError|DagsterPostgresException).*?(connection [^\n]*timeout[^\n]*)", "a database: {0}"),
        (r"^(?:\w*OperationalError|DagsterPostgresException).*?(could not translate host name[^\n]*)", "{0}"),
    )
)


def describe_outage(class_name: str, message: str) -> str | None:
    """Return one line for an error that a server, disk, memory or signal caused, or None for another error."""
    for pattern, text in _RULES:
        if match := pattern.search(f"{class_name}: {message}"):
            return " ".join(text.format(*match.groups()).split())[:_LONGEST]
    return None


def describe_error(error: BaseException) -> str | None:
    """Return one line for an error or one of its causes, if a server, disk or memory failed; else None."""
    for cause in _causes(error):
        if description := describe_outage(type(cause).__name__, str(cause)):
            return description
        if isinstance(cause, OSError) and cause.filename and cause.strerror:
            return f"{cause.filename}: {cause.strerror}"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
