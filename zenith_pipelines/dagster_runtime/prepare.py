"""`python -m zenith_pipelines.dagster_runtime.prepare`: prepare the Dagster home before any of its processes starts.

This writes dagster.yaml and creates Dagster's tables, because processes that create them at the same time fail.
"""

import sys
from pathlib import Path

from zenith_core.errors import ZenithError
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance, write_configuration
from zenith_pipelines.settings import Settings


def prepare(settings: Settings) -> Path:
    """Return the Dagster home, ready for use, with a new dagster.yaml also in DAGSTER_HOME.

    Raises UserError or StorageUnavailable.
    """
    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    write_configuration(settings, home)
    open_instance(settings).dispose()
    return home


if __name__ == "__main__":
    try:
        prepare(Settings())
    except ZenithError as error:
        sys.exit(f"zenith: {error}")
