"""`python -m zenith_pipelines.dagster_runtime.take_over`: prepare a stack's instance, with the tickers of the home.

Without the stack, the home's tickers and asset records are in SQLite. Each start copies new tickers, and the newest
record of each asset, into the stack's instance. Nothing in SQLite changes. Models and datasets
need no copy: the stack shares them (docs/decisions/0044).
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zenith_core.errors import ZenithError
from zenith_pipelines.dagster_runtime.instance import open_instance
from zenith_pipelines.dagster_runtime.prepare import prepare
from zenith_pipelines.settings import Settings
from zenith_pipelines.tickers import PARTITIONS

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.storage.event_log import EventLogStorage

_STATE = "zenith/taken_over"  # key of the stack's instance: the tickers and the last record at the last start


def take_over(instance: "dg.DagsterInstance", sqlite_home: Path) -> list[str]:
    """Copy new tickers and asset records of the SQLite instance in `sqlite_home`; return the tickers.

    A ticker that was removed in the stack does not come back, unless it was removed and added again in SQLite too.
    """
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

    if not (sqlite_home / "history" / "runs.db").exists():
        return []
    storage = DagsterSqliteStorage.from_local(str(sqlite_home))
    try:
        earlier = json.loads(
            instance.run_storage.get_cursor_values({_STATE}).get(_STATE, '{"tickers": [], "record": 0}')
        )
        tickers = list(storage.event_log_storage.get_dynamic_partitions(PARTITIONS))
        new_tickers = [ticker for ticker in tickers if ticker not in earlier["tickers"]]
        instance.add_dynamic_partitions(PARTITIONS, new_tickers)
        last_record = _copy_records(storage.event_log_storage, instance, earlier["record"])
    finally:
        storage.dispose()
    state = json.dumps({"tickers": sorted(tickers), "record": last_record})
    instance.run_storage.set_cursor_values({_STATE: state})  # last: a killed start does all of it again
    return sorted(new_tickers)


def _copy_records(events: "EventLogStorage", instance: "dg.DagsterInstance", after: int) -> int:
    """Copy each partition's newest materialization if its id is above `after`; return the highest id."""
    import dagster as dg

    last = after
    for key in events.all_asset_keys():
        newest = events.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        for partition, record_id in newest.items():
            if record_id <= after:
                continue
            record_filter = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition], storage_ids=[record_id])
            for record in events.fetch_materializations(record_filter, limit=1).records:
                if record.asset_materialization:
                    instance.report_runless_asset_event(record.asset_materialization)
            last = max(last, record_id)
    return last


def main() -> None:
    """Prepare the instance of the environment, and take over from `ZENITH_HOME`/dagster."""
    settings = Settings()
    prepare(settings)
    with open_instance(settings) as instance:
        if tickers := take_over(instance, settings.home / "dagster"):
            sys.stderr.write(f"took over from {settings.home / 'dagster'}: {', '.join(tickers)}\n")


if __name__ == "__main__":
    try:
        main()
    except ZenithError as error:
        sys.exit(f"zenith: {error}")
