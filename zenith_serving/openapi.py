"""What surrounds the routes, in the OpenAPI document: whatever a request may be refused with before a route sees it.

Routes declare what they answer themselves; here, once for all of them, is the rest. All of it are problem documents.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from zenith_serving.problem_details import CONTENT
from zenith_serving.schemas.predictions import Problem
from zenith_serving.security.authentication import KEY_STATUSES

_BODY_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_SCHEMAS_OF_FASTAPI = ("HTTPValidationError", "ValidationError")  # its own form of a 422, which is never sent


def describe_surroundings(app: FastAPI, *, read_keys: bool) -> None:
    """Complete the document when it is first asked for. `read_keys` tells whether everything needs a key."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            complete(make(), read_keys=read_keys)
        return make()

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def complete(document: dict[str, Any], *, read_keys: bool) -> None:
    """Add to each operation the refusals that it may meet, and give bodies their names."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for name in _SCHEMAS_OF_FASTAPI:
        schemas.pop(name, None)
    for path, operation in _operations(document):
        _name_body(operation, schemas)
        if read_keys and path != "/health":
            operation.setdefault("security", [{"Bearer": []}, {"X-API-Key": []}])
        for status in _refusals(operation):
            operation["responses"][str(status.value)] = _answer(status, operation)


def _refusals(operation: dict[str, Any]) -> Iterator[HTTPStatus]:
    yield HTTPStatus.TOO_MANY_REQUESTS
    if "security" in operation:
        yield from KEY_STATUSES
    if "requestBody" in operation:
        yield from _BODY_STATUSES
    elif "parameters" in operation:
        yield HTTPStatus.UNPROCESSABLE_ENTITY


def _answer(status: HTTPStatus, operation: dict[str, Any]) -> dict[str, Any]:
    before = operation["responses"].get(str(status.value), {})
    return {"description": status.phrase, **before, "content": CONTENT}


def _name_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Put a body that is described on the spot among the schemas, or generated clients have a class for each use."""
    body = operation.get("requestBody", {})
    for media_type, content in body.get("content", {}).items():
        if name := content["schema"].get("title"):
            schemas[name] = content["schema"]
            reference = {"$ref": f"#/components/schemas/{name}"}
            operation["requestBody"] = {**body, "content": {media_type: {"schema": reference}}}


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation
