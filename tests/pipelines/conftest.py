"""A registry that tests share: MLflow takes seconds to make its tables."""

import pytest

from zenith_pipelines.registry.model_registry import ModelRegistry


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="session")
def registry(place):
    return ModelRegistry(f"sqlite:///{place}/mlflow.db", place / "artifacts")
