"""The Dagster instance that the command line and the UI share.

Its configuration is the project's dagster.yaml and where runs and events are kept: SQLite beside it, or the PostgreSQL
database of `DATABASE_URL`, whose name is written into the file and whose value is not, since it holds a password. The
file of `ZENITH_DAGSTER_CONFIG`, if there is one, goes over it.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zenith_core.asset_selection import PRICE_SOURCES
from zenith_core.errors import StorageUnavailable, UserError
from zenith_pipelines.dagster_runtime.overlay import merge_overrides
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.settings import Settings, prepare_home

if TYPE_CHECKING:
    import dagster as dg

_PACKAGE = Path(__file__).parents[1]
_CONFIGURATION = _PACKAGE / "dagster.yaml"  # in the project a link to the one at its top, in a wheel a copy
WORKSPACE = _PACKAGE / "workspace.yaml"


def dagster_home(settings: Settings) -> Path:
    """`DAGSTER_HOME` if it is set, else a folder under ZENITH_HOME. Raises UserError.

    A dagster.yaml is made in the latter, and in the former if there is none: without one, as in pods of Dagster's Helm
    chart, Dagster would make an instance of its own, apart from the database where the runs are.
    """
    if named := os.environ.get("DAGSTER_HOME"):
        if not Path(named, "dagster.yaml").exists():
            write_configuration(settings, Path(named))
        return Path(named)
    folder = prepare_home(settings) / "dagster"
    write_configuration(settings, folder)
    return folder


def write_configuration(settings: Settings, folder: Path) -> None:
    """Make the dagster.yaml of a Dagster home, or make it anew if it differs. Raises UserError for the settings."""
    content = _CONFIGURATION.read_bytes() + _storage(settings, folder).encode()
    if settings.zenith_dagster_config:
        content = merge_overrides(content, settings.zenith_dagster_config)
    copy = folder / "dagster.yaml"
    if not copy.exists() or copy.read_bytes() != content:
        write_atomically(copy, content)


def is_unavailable(error: Exception) -> bool:
    """Whether it is about the database of runs and events, which may be back a moment later."""
    from dagster_postgres.utils import DagsterPostgresException
    from sqlalchemy.exc import OperationalError

    return isinstance(error, StorageUnavailable | DagsterPostgresException | OperationalError)


def _storage(settings: Settings, folder: Path) -> str:
    """The part of dagster.yaml that says where runs and events are kept."""
    if settings.database_url is None:
        chosen = {"class": "SqliteStorage", "config": {"base_dir": str(folder)}}
    else:
        _check_database_url(settings, settings.database_url.get_secret_value())
        chosen = {"class": "PostgresStorage", "config": {"postgres_url": {"env": "DATABASE_URL"}}}
    storage = {"custom": {"module": "zenith_pipelines.dagster_runtime.storage", **chosen}}
    return f"\nstorage: {json.dumps(storage)}\n"  # JSON is YAML


def _check_database_url(settings: Settings, text: str) -> None:
    """Raise UserError for what is no PostgreSQL URL, or is MLflow's database too: both keep a table alembic_version."""
    from zenith_pipelines.dagster_runtime.storage import database_url

    dagsters = database_url(text)
    if not settings.tracking_uri.startswith("postgres"):
        return
    mlflows = database_url(settings.tracking_uri)
    place, other = ((url.host, url.port or 5432, url.database) for url in (dagsters, mlflows))
    if place == other:
        raise UserError("DATABASE_URL and MLFLOW_TRACKING_URI name the same database: each needs one of its own")


def open_instance(settings: Settings) -> "dg.DagsterInstance":
    """The instance whose runs and events the UI shows. Raises UserError for a dagster.yaml that cannot be.

    One process at a time: two that open an empty SQLite instance together both migrate it, and leave a
    database that no process can open again.
    """
    import dagster as dg
    from filelock import FileLock

    home = dagster_home(settings)
    with FileLock(prepare_home(settings) / ".dagster.lock", timeout=120):
        try:
            instance = dg.DagsterInstance.from_config(str(home))
        except dg.DagsterInvalidConfigError as error:
            reasons = "; ".join(" ".join(found.message.split()) for found in error.errors)
            raise UserError(f"Dagster does not take {home / 'dagster.yaml'}: {reasons}") from None
        _ensure_pool(instance)
        return instance


def _ensure_pool(instance: "dg.DagsterInstance") -> None:
    """Make the pool's row before runs meet on it: on PostgreSQL, Dagster fails all but one of those that would."""
    from sqlalchemy.exc import InternalError

    events = instance.event_log_storage
    if events.supports_global_concurrency_limits and PRICE_SOURCES not in events.get_concurrency_keys():
        with suppress(InternalError):  # another machine was making it in the same moment
            events.initialize_concurrency_limit_to_default(PRICE_SOURCES)


def removed_tickers(instance: "dg.DagsterInstance") -> set[str]:
    """Tickers that this instance has fetched prices of and that are no partition any more.

    Of tickers that it has never heard of, such as those of another installation on the same MLflow server, it says
    nothing.
    """
    import dagster as dg

    return instance.get_materialized_partitions(dg.AssetKey("raw_prices")) - set(
        instance.get_dynamic_partitions("tickers")
    )
