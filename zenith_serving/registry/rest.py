"""The model registry of an MLflow server, over its public REST API."""

import base64
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request

from zenith_core.statistics.performance import finite
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.registry.base import (
    DECISION_PREFIX,
    EXPERIMENT,
    MODEL_FILE,
    Alias,
    KnownVersion,
    aliases_by_version,
    check_checksum,
    decisions_by_model,
    intelligible,
    listed_metrics,
    listed_tags,
    name_pattern,
    production_versions,
    read_artifact,
)
from zenith_serving.registry.bounded_http import Deadline

LOOK_SECONDS = 4.0  # for the aliases of all models
FETCH_SECONDS = 10.0  # for a model file
LIST_SECONDS = 8.0  # for the versions or the decisions: a command that asks ends within 10 s
_SERVER = "MLflow server"
_JSON = {"Content-Type": "application/json"}
_RUNS_PER_REQUEST = 100  # MLflow limits the length of a filter

_logger = logging.getLogger(__name__)


class RestRegistry:
    """The ModelRegistry of an MLflow server."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    @intelligible(_SERVER)
    def production(self) -> dict[str, int]:
        """Return the Production version of each model name."""
        return production_versions(self._question(LOOK_SECONDS).aliases(name_pattern(None)))

    @intelligible(_SERVER)
    def fetch(self, name: str, version: int) -> bytes:
        """Return a version's ONNX file."""
        question = self._question(FETCH_SECONDS)
        location = question.get("mlflow/model-versions/get-download-uri", name=name, version=str(version))
        details = question.get("mlflow/model-versions/get", name=name, version=str(version))["model_version"]
        tags = _pairs(details.get("tags", []))
        return check_checksum(question.artifact(location["artifact_uri"]), tags)

    @intelligible(_SERVER)
    def names(self, ticker: str | None = None) -> list[str]:
        """Return the names of all models, or of a ticker's."""
        models = self._question(LIST_SECONDS).search("registered-models", "registered_models", name_pattern(ticker))
        return [model["name"] for model in models]

    @intelligible(_SERVER)
    def versions(self, ticker: str | None = None, names: Sequence[str] | None = None) -> list[KnownVersion]:
        """Return the versions of all models, of a ticker's, or of the models of these names.

        MLflow's search takes one condition on the name, so each name takes a request.
        """
        question = self._question(LIST_SECONDS)
        patterns = [name_pattern(ticker)] if names is None else names
        aliases = aliases_by_version(alias for pattern in patterns for alias in question.aliases(pattern))
        versions = [one for each in patterns for one in question.search("model-versions", "model_versions", each)]
        metrics = question.metrics([version["run_id"] for version in versions if version.get("run_id")])
        return [
            KnownVersion(
                version["name"],
                int(version["version"]),
                int(version["creation_timestamp"]),
                frozenset(aliases[version["name"], int(version["version"])]),
                listed_tags(_pairs(version.get("tags", []))),
                metrics.get(version.get("run_id", ""), {}),
            )
            for version in versions
        ]

    @intelligible(_SERVER)
    def decisions(self, ticker: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """Return the records of all decisions by model, of all models or of a ticker's."""
        runs = self._question(LIST_SECONDS).runs(f"attributes.run_name LIKE '{name_pattern(ticker)}'")
        return decisions_by_model(
            (run["info"]["run_name"], text)
            for run in runs
            for key, text in _pairs(run["data"].get("tags", [])).items()
            if key.startswith(DECISION_PREFIX)
        )

    def _question(self, seconds: float) -> "_Question":
        return _Question(self._url, Deadline(seconds))


class _Question:
    """Requests to the server with one deadline. Raises RegistryUnavailable or ModelUnavailable."""

    def __init__(self, url: str, deadline: Deadline) -> None:
        self._url = url
        self._deadline = deadline

    def aliases(self, names: str) -> Iterator[Alias]:
        """Yield the aliases of the models whose name matches a pattern or is `names`."""
        for model in self.search("registered-models", "registered_models", names):
            for alias in model.get("aliases", []):
                yield model["name"], int(alias["version"]), alias["alias"]

    def metrics(self, run_ids: Sequence[str]) -> dict[str, dict[str, float | None]]:
        """Return the listed metrics of each run. NaN and infinity arrive as text."""
        metrics = {}
        for start in range(0, len(run_ids), _RUNS_PER_REQUEST):
            names = ", ".join(f"'{run_id}'" for run_id in run_ids[start : start + _RUNS_PER_REQUEST])
            for run in self.runs(f"attributes.run_id IN ({names})"):
                pairs = _pairs(run["data"].get("metrics", []))
                values = {key: finite(float(value)) for key, value in pairs.items()}
                metrics[run["info"]["run_id"]] = listed_metrics(values)
        return metrics

    def artifact(self, location: str) -> bytes:
        """Return the ONNX file in a model folder."""
        if not location.startswith("mlflow-artifacts:"):
            return read_artifact(location)
        folder = quote(urlsplit(location).path.strip("/"))
        return self._send(Request(self._address(f"mlflow-artifacts/artifacts/{folder}/{MODEL_FILE}")))

    def search(self, resource: str, entries: str, names: str) -> Iterator[dict[str, Any]]:
        """Yield the entries of a search, of the models whose name matches a pattern or is `names`."""
        condition = f"name LIKE '{names}'" if "%" in names else f"name = '{names}'"
        return self._pages(self.get, f"mlflow/{resource}/search", entries, filter=condition, max_results="1000")

    def runs(self, condition: str) -> Iterator[dict[str, Any]]:
        """Yield the runs of our experiment that match a condition."""
        try:
            experiment = self.get("mlflow/experiments/get-by-name", experiment_name=EXPERIMENT)["experiment"]
        except ModelUnavailable:  # nothing was trained yet
            return
        query = {"experiment_ids": [experiment["experiment_id"]], "filter": condition, "run_view_type": "ALL"}
        yield from self._pages(self._post, "mlflow/runs/search", "runs", **query, max_results=1000)

    @staticmethod
    def _pages(
        request: Callable[..., dict[str, Any]], path: str, entries: str, **query: Any
    ) -> Iterator[dict[str, Any]]:
        while True:
            page = request(path, **query)
            yield from page.get(entries, [])
            token = page.get("next_page_token")
            if not token:
                return
            if token == query.get("page_token"):
                raise ValueError("the same page again")
            query["page_token"] = token

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return the document at a path of the API."""
        return _document(self._send(Request(f"{self._address(path)}?{urlencode(query)}")))

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return _document(self._send(Request(self._address(path), json.dumps(body).encode(), _JSON)))

    def _address(self, path: str) -> str:
        return f"{self._url}/api/2.0/{path}"

    def _send(self, request: Request) -> bytes:
        for name, value in _credentials().items():
            request.add_header(name, value)
        try:
            return self._deadline.send(request)
        except HTTPError as error:
            with error:
                if error.code == 404:
                    raise ModelUnavailable("the registry has no such model version or file") from None
                if error.code in (401, 403):
                    names = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
                    raise RegistryUnavailable(f"the MLflow server refuses {names} ({error.code})") from None
                raise RegistryUnavailable(f"the MLflow server answered with status {error.code}") from None
        except TimeoutError as error:
            raise RegistryUnavailable(f"the MLflow server: {error}") from None
        except HTTPException as error:
            _logger.debug("MLflow server: %r", error)
            raise RegistryUnavailable("the MLflow server answers with something that is not whole HTTP") from None
        except OSError as error:
            _logger.debug("MLflow server: %r", error)
            raise RegistryUnavailable("the MLflow server cannot be reached") from None


def _document(content: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(content)
        if not isinstance(document, dict):
            raise TypeError("not an object")
    except (ValueError, TypeError, RecursionError):
        raise RegistryUnavailable("MLFLOW_TRACKING_URI does not lead to an MLflow server") from None
    return document


def _pairs(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {entry["key"]: entry.get("value", "") for entry in entries}


def _credentials() -> dict[str, str]:
    """Return the headers that MLflow's client sends for MLflow's environment variables."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
