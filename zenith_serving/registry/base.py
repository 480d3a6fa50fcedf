"""Which model version is in Production, and its ONNX file, asked of MLflow without importing MLflow.

`import mlflow` with a database store takes more memory than all the rest of serving, so the three
questions serving has are asked of MLflow's REST API or of its database directly
(docs/decisions/0004-registry-access-in-serving.md).
"""

import base64
import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlencode, urlsplit
from urllib.request import Request, urlopen

from zenith_core.errors import UserError
from zenith_core.names import PRODUCTION
from zenith_serving.errors import ModelUnavailable, RegistryAway

if TYPE_CHECKING:
    from sqlalchemy import Engine

CHECKSUM_TAG = "sha256"  # of the model file, which the pipelines put on each version
MODEL_FILE = "model.onnx"  # where MLflow's ONNX flavour puts the model
TIMEOUT_SECONDS = 2.0
_JSON = {"Content-Type": "application/json"}
_ALIASES = "SELECT name, version FROM registered_model_aliases WHERE alias = :alias AND workspace = 'default'"
_LOCATION = (
    "SELECT storage_location, source FROM model_versions"
    " WHERE name = :name AND version = :version AND workspace = 'default'"
)
_CHECKSUM = (
    "SELECT value FROM model_version_tags"
    f" WHERE name = :name AND version = :version AND key = '{CHECKSUM_TAG}' AND workspace = 'default'"
)

_logger = logging.getLogger(__name__)


class Registry(Protocol):
    """What serving needs of a model registry."""

    def production(self) -> dict[str, int]:
        """Version in Production by model name. Raises RegistryAway."""

    def fetch(self, name: str, version: int) -> bytes:
        """The ONNX file of a version, checked by its SHA-256. Raises RegistryAway or ModelUnavailable."""


def open_registry(tracking_uri: str) -> Registry:
    """A registry for an MLflow server (http, https) or an MLflow database (sqlite, postgresql, mysql)."""
    return RestRegistry(tracking_uri) if is_server(tracking_uri) else DatabaseRegistry(tracking_uri)


def is_server(tracking_uri: str) -> bool:
    """Whether the address is an MLflow server's, and not a database's. Raises UserError if it is neither."""
    scheme = urlsplit(tracking_uri).scheme
    if scheme in ("http", "https"):
        return True
    if scheme.split("+")[0] in ("sqlite", "postgresql", "mysql"):
        return False
    raise UserError(
        "MLFLOW_TRACKING_URI must be an MLflow server (http, https) or database (sqlite, postgresql, mysql)"
    )


class RestRegistry:
    """The registry of an MLflow server, over its public REST API."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def production(self) -> dict[str, int]:
        """Version in Production by model name."""
        return {
            model["name"]: int(alias["version"])
            for model in self._pages("mlflow/registered-models/search", "registered_models", max_results="1000")
            for alias in model.get("aliases", [])
            if alias["alias"] == PRODUCTION
        }

    def fetch(self, name: str, version: int) -> bytes:
        """The ONNX file of a version."""
        answer = self._ask("mlflow/model-versions/get-download-uri", name=name, version=str(version))
        described = self._ask("mlflow/model-versions/get", name=name, version=str(version)).get("model_version", {})
        tags = {tag["key"]: tag["value"] for tag in described.get("tags", [])}
        return checked(self._content(answer["artifact_uri"]), tags.get(CHECKSUM_TAG))

    def _content(self, location: str) -> bytes:
        if not location.startswith("mlflow-artifacts:"):
            return read_artifact(location)
        return self._get(f"mlflow-artifacts/artifacts/{quote(urlsplit(location).path.strip('/'))}/{MODEL_FILE}")

    def _pages(self, path: str, entries: str, **query: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = self._ask(path, **query, page_token=token)
            yield from page.get(entries, [])
            token = page.get("next_page_token", "")
            if not token:
                return

    def _ask(self, path: str, **query: str) -> dict[str, Any]:
        return _document(self._get(path, **query))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return _document(self._send(Request(self._address(path), json.dumps(body).encode(), _JSON)))

    def _get(self, path: str, **query: str) -> bytes:
        return self._send(Request(self._address(path) + (f"?{urlencode(query)}" if query else "")))

    def _address(self, path: str) -> str:
        return f"{self._url}/api/2.0/{path}"

    @staticmethod
    def _send(request: Request) -> bytes:
        for name, value in _credentials().items():
            request.add_header(name, value)
        try:
            with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                content: bytes = response.read()
                return content
        except HTTPError as error:
            with error:
                if error.code == 404:
                    raise ModelUnavailable("the registry has no such model version or file") from None
                if error.code in (401, 403):
                    refused = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
                    raise RegistryAway(f"the MLflow server refuses {refused} ({error.code})") from None
                raise RegistryAway(f"the MLflow server answered with status {error.code}") from None
        except OSError as error:
            _logger.debug("MLflow server: %r", error)
            raise RegistryAway("the MLflow server cannot be reached") from None


def _document(content: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(content)
    except ValueError:
        raise RegistryAway("what answers at MLFLOW_TRACKING_URI is not an MLflow server") from None
    return document


class DatabaseRegistry:
    """The registry in an MLflow database, read only. The tables are MLflow 3's."""

    def __init__(self, url: str) -> None:
        self._url = url

    def production(self) -> dict[str, int]:
        """Version in Production by model name."""
        rows = self._rows(_ALIASES, alias=PRODUCTION)
        return {name: int(version) for name, version in rows}

    def fetch(self, name: str, version: int) -> bytes:
        """The ONNX file of a version."""
        rows = self._rows(_LOCATION, name=name, version=version)
        if not rows:
            raise ModelUnavailable("the registry has no such model version")
        checksums = self._rows(_CHECKSUM, name=name, version=version)
        return checked(read_artifact(rows[0][0] or rows[0][1]), checksums[0][0] if checksums else None)

    def _rows(self, query: str, **values: str | int) -> list[Any]:
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine().connect() as connection:
                return list(connection.execute(text(query), values).all())
        except SQLAlchemyError as error:
            _logger.debug("MLflow database: %r", error)
            raise RegistryAway("the MLflow database cannot be read") from None

    def _engine(self) -> "Engine":
        from sqlalchemy import NullPool, create_engine, make_url

        url = make_url(self._url)
        if url.get_backend_name() == "sqlite":
            return create_engine("sqlite://", poolclass=NullPool, creator=lambda: _open_sqlite(url.database or ""))
        return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": int(TIMEOUT_SECONDS)})


def _open_sqlite(path: str) -> sqlite3.Connection:
    """Read only: otherwise SQLite makes an empty database where there is none."""
    return sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)


def read_artifact(location: str) -> bytes:
    """The ONNX file in a model folder: a path, a file: URI, or whatever fsspec has a driver for."""
    parts = urlsplit(location)
    try:
        if parts.scheme in ("", "file"):
            return (Path(unquote(parts.path) if parts.scheme else location) / MODEL_FILE).read_bytes()
        import fsspec

        content: bytes = fsspec.open(f"{location.rstrip('/')}/{MODEL_FILE}", "rb").open().read()
        return content
    except FileNotFoundError:
        raise ModelUnavailable("the registry's model file is gone") from None
    except (OSError, ValueError, ImportError) as error:
        _logger.debug("artifact: %r", error)
        raise RegistryAway("the registry's model files cannot be read from here") from None


def checked(content: bytes, checksum: str | None) -> bytes:
    """The content if it matches its SHA-256, or if none was recorded, as in early versions. Raises ModelUnavailable."""
    if checksum and hashlib.sha256(content).hexdigest() != checksum:
        raise ModelUnavailable("the registry's model file does not match its checksum")
    return content


def _credentials() -> dict[str, str]:
    """The headers MLflow's own client would send for MLflow's own environment variables."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
