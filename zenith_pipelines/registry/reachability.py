"""Check quickly whether an MLflow store answers, because MLflow itself goes on trying for minutes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from zenith_core.errors import StorageUnavailable
from zenith_core.outages import describe_error
from zenith_pipelines.patience import is_brief, wait_seconds, waiting_for

_SETTING = "MLFLOW_TRACKING_URI"


def require_database(uri: str, setting: str = _SETTING) -> None:
    """Raise StorageUnavailable unless the database of a setting can be read within `wait_seconds()`.

    A server is not asked, nor an SQLite file that does not exist.
    """
    import sqlalchemy as sa

    if uri.startswith("http"):
        return
    try:
        url = sa.make_url(uri)
        is_file = url.get_backend_name() == "sqlite"
        if is_file and not (url.database and Path(url.database).exists()):
            return
        option = "timeout" if is_file else "connect_timeout"
        engine = sa.create_engine(url, connect_args={option: wait_seconds()}, poolclass=sa.NullPool)
        with waiting_for(setting), engine.connect() as connection:
            connection.execute(sa.text("SELECT 1 FROM sqlite_master" if is_file else "SELECT 1"))
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        raise unavailable(error, setting) from None


@contextmanager
def requests_to(uri: str) -> Iterator[None]:
    """Let MLflow's client send each request once within the context, if this process is brief; it reads variables.

    A long wait for a server is said. That for a database is said by `require_database`.
    """
    with waiting_for(_SETTING) if uri.startswith("http") else nullcontext(), _brief_requests():
        yield


@contextmanager
def _brief_requests() -> Iterator[None]:
    if not is_brief():
        yield
        return
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(wait_seconds())}
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def unavailable(error: Exception, setting: str = _SETTING) -> StorageUnavailable:
    """Return the error of a store that does not answer, or not as MLflow does."""
    text = describe_error(error)
    if isinstance(error, ImportError):
        text = f"the driver of this database is not installed ({error})"
    elif text is None:
        lines = str(error).splitlines() or [""]
        text = f"it does not answer as MLflow does ({type(error).__name__}: {lines[0][:160]})"
    return StorageUnavailable(f"{setting}: {text}")


def is_refused(error: Any) -> bool:
    """Return True if an MLflow server does not accept the user and password."""
    return bool(getattr(error, "error_code", "") == "UNAUTHENTICATED")
