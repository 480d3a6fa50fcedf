"""The Dagster instance that the command line and the UI share, and its dagster.yaml.

The configuration is the project's dagster.yaml, the storage of runs and events, and on top of both the file of
`ZENITH_DAGSTER_CONFIG`. The storage is SQLite in the Dagster home, or PostgreSQL: then the file names the variable
`DATABASE_URL`, not its value, which holds a password.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zenith_core.asset_selection import PRICE_SOURCES
from zenith_core.errors import UserError
from zenith_pipelines.datasets.atomic_files import write_atomically
from zenith_pipelines.patience import patient_lock
from zenith_pipelines.settings import Settings, prepare_home

if TYPE_CHECKING:
    import dagster as dg

_PACKAGE = Path(__file__).parents[1]
_CONFIGURATION = _PACKAGE / "dagster.yaml"  # in the repository a link to the file at its root, in a wheel a copy
WORKSPACE = _PACKAGE / "workspace.yaml"


def dagster_home(settings: Settings) -> Path:
    """Return `DAGSTER_HOME` if it is set, else a folder in ZENITH_HOME, with a dagster.yaml. Raises UserError.

    A dagster.yaml in DAGSTER_HOME is not replaced. Without one, as in pods of Dagster's Helm chart, Dagster would
    create an instance of its own, apart from the database of the runs.
    """
    if home := os.environ.get("DAGSTER_HOME"):
        if not Path(home, "dagster.yaml").exists():
            write_configuration(settings, Path(home))
        return Path(home)
    folder = prepare_home(settings) / "dagster"
    write_configuration(settings, folder)
    return folder


def write_configuration(settings: Settings, folder: Path) -> None:
    """Write dagster.yaml into `folder` if it is missing or differs. Raises UserError for invalid settings."""
    content = _CONFIGURATION.read_bytes() + _storage(settings, folder).encode()
    if settings.zenith_dagster_config:
        content = _merge_overrides(content, settings.zenith_dagster_config)
    path = folder / "dagster.yaml"
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)


def open_instance(settings: Settings) -> "dg.DagsterInstance":
    """Open the instance whose runs and events the UI shows. Raises UserError for an invalid dagster.yaml.

    A lock lets in one process at a time: two that open an empty SQLite instance together would both migrate it, and
    no process could open the database again.
    """
    import dagster as dg
    from filelock import FileLock

    home = dagster_home(settings)
    with patient_lock(FileLock(prepare_home(settings) / ".dagster.lock")):
        try:
            instance = dg.DagsterInstance.from_config(str(home))
        except dg.DagsterInvalidConfigError as error:
            reasons = "; ".join(" ".join(reason.message.split()) for reason in error.errors)
            raise UserError(f"Dagster rejects {home / 'dagster.yaml'}: {reasons}") from None
        _ensure_pool(instance)
        return instance


def _storage(settings: Settings, folder: Path) -> str:
    """Return the section `storage` of dagster.yaml."""
    if settings.database_url is None:
        storage = {"class": "SqliteStorage", "config": {"base_dir": str(folder)}}
    else:
        _check_database_url(settings, settings.database_url.get_secret_value())
        storage = {"class": "PostgresStorage", "config": {"postgres_url": {"env": "DATABASE_URL"}}}
    custom = {"custom": {"module": "zenith_pipelines.dagster_runtime.storage", **storage}}
    return f"\nstorage: {json.dumps(custom)}\n"  # JSON is YAML


def _check_database_url(settings: Settings, text: str) -> None:
    """Raise UserError for an invalid PostgreSQL URL, or for MLflow's database: both have a table alembic_version."""
    from zenith_pipelines.dagster_runtime.storage import database_url

    dagster_url = database_url(text)
    if not settings.tracking_uri.startswith("postgres"):
        return
    mlflow_url = database_url(settings.tracking_uri)
    database, other = ((url.host, url.port or 5432, url.database) for url in (dagster_url, mlflow_url))
    if database == other:
        raise UserError("DATABASE_URL and MLFLOW_TRACKING_URI name the same database: each needs one of its own")


def _merge_overrides(configuration: bytes, path: Path) -> bytes:
    """Return the configuration with the keys of the YAML file at `path` merged over it.

    Raises UserError if the file cannot be read or is not a mapping.
    """
    import yaml

    try:
        overrides = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise UserError(f"ZENITH_DAGSTER_CONFIG {path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UserError(f"ZENITH_DAGSTER_CONFIG {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(overrides, dict):
        raise UserError(f"ZENITH_DAGSTER_CONFIG {path} must have keys of dagster.yaml, such as run_launcher")
    return json.dumps(_merge(yaml.safe_load(configuration), overrides), indent=1).encode()  # JSON is YAML


def _merge(base: Any, overrides: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(overrides, dict)):
        return overrides
    return base | {key: _merge(base.get(key), value) for key, value in overrides.items()}


def _ensure_pool(instance: "dg.DagsterInstance") -> None:
    """Create the row of the pool before runs do: on PostgreSQL, Dagster fails all but one that create it together."""
    from sqlalchemy.exc import InternalError

    events = instance.event_log_storage
    if events.supports_global_concurrency_limits and PRICE_SOURCES not in events.get_concurrency_keys():
        with suppress(InternalError):  # another machine is creating it
            events.initialize_concurrency_limit_to_default(PRICE_SOURCES)
