"""A registry shared by the tests: MLflow takes seconds to create its tables."""

import pytest

from zenith_pipelines.registry.model_registry import ModelRegistry


@pytest.fixture(scope="session")
def registry_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="session")
def registry(registry_dir):
    return ModelRegistry(f"sqlite:///{registry_dir}/mlflow.db", registry_dir / "artifacts")
