"""Prepare the Dagster home before its processes start: `python -m zenith_pipelines.dagster_runtime.prepare`.

That is dagster.yaml in DAGSTER_HOME, and Dagster's tables: several processes that made them together would fail.
"""

import sys
from pathlib import Path

from zenith_core.errors import ZenithError
from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance, write_configuration
from zenith_pipelines.settings import Settings


def prepare(settings: Settings) -> Path:
    """The Dagster home, whether DAGSTER_HOME names it or not, ready for use. Raises UserError, StorageUnavailable."""
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
