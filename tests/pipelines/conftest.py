"""A registry shared by the tests."""

import pytest

from tests.empty_databases import put_mlflow_database
from zenith_pipelines.registry.model_registry import ModelRegistry


@pytest.fixture(scope="session")
def registry_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    put_mlflow_database(folder)
    return folder


@pytest.fixture(scope="session")
def registry(registry_dir):
    return ModelRegistry(f"sqlite:///{registry_dir}/mlflow.db", registry_dir / "artifacts")
