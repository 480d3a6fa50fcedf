"""A registry shared by the tests, and instances of Dagster in memory that begin quickly."""

import pytest

from tests.empty_databases import put_mlflow_database
from zenith_pipelines.registry.model_registry import ModelRegistry


@pytest.fixture(scope="session", autouse=True)
def quick_instances():
    """Leave the stamp of Alembic out of databases in memory, which nobody migrates: two thirds of their making."""
    from dagster._core.storage.event_log import in_memory as events
    from dagster._core.storage.runs import in_memory as runs

    with pytest.MonkeyPatch.context() as patch:
        for module in (events, runs):
            patch.setattr(module, "stamp_alembic_rev", lambda *_: None)
        yield


@pytest.fixture(scope="session")
def registry_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    put_mlflow_database(folder)
    return folder


@pytest.fixture(scope="session")
def registry(registry_dir):
    return ModelRegistry(f"sqlite:///{registry_dir}/mlflow.db", registry_dir / "artifacts")
