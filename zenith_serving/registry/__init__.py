"""MLflow's model registry, read without importing MLflow.

`import mlflow` with a database takes more memory than the rest of serving together. Serving therefore asks MLflow's
REST API, or reads its database (docs/decisions/0004-registry-access-in-serving.md).
"""

from urllib.parse import urlsplit

from zenith_core.errors import UserError
from zenith_serving.registry.base import ModelRegistry
from zenith_serving.registry.database import DatabaseRegistry
from zenith_serving.registry.rest import RestRegistry

__all__ = ["ModelRegistry", "open_registry"]


def open_registry(tracking_uri: str) -> ModelRegistry:
    """Open the registry of an MLflow server (http, https) or an MLflow database (sqlite, postgresql, mysql).

    Raises UserError for another kind of address. Connects to nothing yet.
    """
    scheme = urlsplit(tracking_uri).scheme
    if scheme in ("http", "https"):
        return RestRegistry(tracking_uri)
    if scheme.split("+")[0] in ("sqlite", "postgresql", "mysql"):
        return DatabaseRegistry(tracking_uri)
    raise UserError(
        "MLFLOW_TRACKING_URI must be an MLflow server (http, https) or database (sqlite, postgresql, mysql)"
    )
