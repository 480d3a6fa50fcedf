"""SQLite's storage, and PostgreSQL's without a server: how it meets another process that creates the same tables."""

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster_postgres import DagsterPostgresStorage

from zenith_pipelines.dagster_runtime.instance import dagster_home, open_instance
from zenith_pipelines.dagster_runtime.storage import PostgresStorage
from zenith_pipelines.settings import Settings

CONFIG = {"postgres_url": "postgresql://zenith:secret@db/dagster"}


class ServerError(Exception):
    def __init__(self, pgcode):
        self.pgcode = pgcode


@pytest.fixture
def failures(monkeypatch):
    """Errors that creating the storage raises, one at each attempt."""
    errors = []

    def create(storage, url, inst_data=None):
        if errors:
            raise sa.exc.ProgrammingError("CREATE TABLE instance_info", {}, errors.pop(0))

    monkeypatch.setattr(DagsterPostgresStorage, "__init__", create)
    monkeypatch.setattr("zenith_pipelines.dagster_runtime.storage.is_brief", lambda: False)
    return errors


def test_a_table_that_another_process_has_just_created_is_no_error(failures):
    failures += [ServerError("42P07"), ServerError("42P07")]
    assert isinstance(PostgresStorage.from_config_value(None, CONFIG), PostgresStorage)
    assert failures == []


def test_another_error_of_the_database_is_raised(failures):
    failures += [ServerError("42501")]  # no permission
    with pytest.raises(sa.exc.ProgrammingError):
        PostgresStorage.from_config_value(None, CONFIG)


@dg.op
def do_nothing():
    pass


@dg.job
def idle():
    do_nothing()


@pytest.mark.slow
def test_runs_share_one_engine_and_dagster_itself_reads_their_events(tmp_path, monkeypatch):
    settings = Settings(zenith_home=tmp_path)
    with open_instance(settings) as instance:
        first = idle.execute_in_process(instance=instance).run_id
        for module in (sqlite_event_log, sqlite_run_storage):
            monkeypatch.setattr(module, "create_engine", lambda *_, **__: pytest.fail("another engine"))
        second = idle.execute_in_process(instance=instance).run_id
        counts = [len(instance.all_logs(run_id)) for run_id in (first, second)]

    monkeypatch.undo()
    storage = DagsterSqliteStorage.from_local(str(dagster_home(settings)))
    assert [len(storage.event_log_storage.get_logs_for_run(run_id)) for run_id in (first, second)] == counts
    assert counts[0] == counts[1] > 0
