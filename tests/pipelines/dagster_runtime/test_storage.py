"""PostgreSQL's storage, without a server: how it meets another process that creates the same tables."""

import pytest
import sqlalchemy as sa
from dagster_postgres import DagsterPostgresStorage

from zenith_pipelines.dagster_runtime.storage import PostgresStorage

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
