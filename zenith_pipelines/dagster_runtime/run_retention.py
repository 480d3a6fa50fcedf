"""Delete old runs of Dagster with their events and logs, except those that made the latest of an asset.

Dagster itself purges only the ticks of schedules and sensors. The history of decisions, the trials and the ledger do
not depend on its runs: they are in MLflow and in the datasets.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from zenith_pipelines.settings import Settings

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_PAGE = 500


def oldest_kept_run(settings: Settings) -> datetime:
    """Return the moment before which clean-up deletes runs, by ZENITH_KEEP_RUN_DAYS."""
    return datetime.now(UTC) - timedelta(days=settings.zenith_keep_run_days)


def purge_runs(instance: dg.DagsterInstance, before: datetime, *, dry_run: bool = False) -> dict[str, int]:
    """Delete the runs that ended and were created before a moment; return their number and the bytes of their files.

    A run stays if it made the latest materialization of an asset, or of one of its partitions. Of a check's results
    that old, only the latest of each partition stays. `dry_run` reports the same and deletes nothing. In PostgreSQL the
    space is for the next runs, and no bytes are reported.
    """
    old = list(_ended_runs(instance, before))
    latest = runs_of_latest(instance) if old else set()
    old = [run_id for run_id in old if run_id not in latest]
    size = 0
    for run_id in old:
        size += sum(_size(path) for path in _paths(instance, run_id))
        if not dry_run:
            _delete(instance, run_id)
    if not dry_run:
        _delete_check_results(instance, before)
    return {"runs": len(old), "bytes": size}


def runs_of_latest(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs that made the latest materialization of an asset, or of one of its partitions."""
    runs = set()
    for key in instance.all_asset_keys():
        if event := instance.get_latest_materialization_event(key):
            runs.add(event.run_id)
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION
        ids = sorted(instance.get_latest_storage_id_by_partition(key, kind).values())
        for start in range(0, len(ids), _PAGE):
            latest = dg.AssetRecordsFilter(key, storage_ids=ids[start : start + _PAGE])
            runs.update(record.run_id for record in instance.fetch_materializations(latest, limit=_PAGE).records)
    return runs


def _ended_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    filters, cursor = dg.RunsFilter(statuses=_ENDED, created_before=before), None
    while runs := instance.get_runs(filters, cursor=cursor, limit=_PAGE):
        yield from (run.run_id for run in runs)
        cursor = runs[-1].run_id


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.delete_run(run_id)
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    for path in _paths(instance, run_id):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _delete_check_results(instance: dg.DagsterInstance, before: datetime) -> None:
    """Delete old results of checks but the latest: Dagster keeps each in a table that `delete_run` leaves alone."""
    storage, results = instance.event_log_storage, AssetCheckExecutionsTable.c
    if isinstance(storage, SqlEventLogStorage):
        latest = db.select(db.func.max(results.id)).group_by(results.asset_key, results.check_name, results.partition)
        is_old = results.create_timestamp < before.astimezone(UTC).replace(tzinfo=None)
        with storage.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(is_old, results.id.not_in(latest)))


def _paths(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """Return the folder of a run's logs, and on SQLite its file of events, which Dagster only empties."""
    storage = instance.event_log_storage
    paths = [Path(instance.storage_directory(), run_id)]
    if isinstance(storage, SqliteEventLogStorage):
        file = Path(storage.path_for_shard(run_id))
        paths += [file, *(file.with_name(f"{file.name}{ending}") for ending in ("-wal", "-shm", "-journal"))]
    return [path for path in paths if path.exists()]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
