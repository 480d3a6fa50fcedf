"""The Dagster instance that the command line and the UI share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zenith_pipelines.files import write_atomically
from zenith_pipelines.settings import Settings, prepare_home

if TYPE_CHECKING:
    import dagster as dg

_PROJECT = Path(__file__).parent.parent
_CONFIGURATION = _PROJECT / "dagster.yaml"
WORKSPACE = _PROJECT / "workspace.yaml"


def dagster_home(settings: Settings) -> Path:
    """`DAGSTER_HOME` if it is set, else a folder under ZENITH_HOME with a copy of the project's dagster.yaml."""
    if named := os.environ.get("DAGSTER_HOME"):
        return Path(named)
    folder = prepare_home(settings) / "dagster"
    content = _CONFIGURATION.read_bytes()
    copy = folder / "dagster.yaml"
    if not copy.exists() or copy.read_bytes() != content:
        write_atomically(copy, content)
    return folder


def open_instance(settings: Settings) -> "dg.DagsterInstance":
    """The instance whose runs and events the UI shows.

    One process at a time: two that open an empty SQLite instance together both migrate it, and leave a
    database that no process can open again.
    """
    import dagster as dg
    from filelock import FileLock

    home = dagster_home(settings)
    with FileLock(prepare_home(settings) / ".dagster.lock", timeout=120):
        return dg.DagsterInstance.from_config(str(home))


def removed_tickers(instance: "dg.DagsterInstance") -> set[str]:
    """Tickers that this instance has fetched prices of and that are no partition any more.

    Of tickers that it has never heard of, such as those of another installation on the same MLflow server, it says
    nothing.
    """
    import dagster as dg

    return instance.get_materialized_partitions(dg.AssetKey("raw_prices")) - set(
        instance.get_dynamic_partitions("tickers")
    )
