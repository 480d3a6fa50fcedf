"""Add to the OpenAPI document the problems with which a request may be refused before it reaches its route.

Routes declare their own responses.
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
_SCHEMAS_OF_FASTAPI = ("HTTPValidationError", "ValidationError")  # FastAPI's form of a 422, which is never sent


def document_refusals(app: FastAPI, *, read_keys: bool) -> None:
    """Complete the document at its first request. read_keys: True if everything needs a key."""
    make_document = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            complete(make_document(), read_keys=read_keys)
        return make_document()

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation does it


def complete(document: dict[str, Any], *, read_keys: bool) -> None:
    """Add to each operation its possible refusals, and name its body."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for name in _SCHEMAS_OF_FASTAPI:
        schemas.pop(name, None)
    for path, operation in _operations(document):
        _name_body(operation, schemas)
        if read_keys and path != "/health":
            operation.setdefault("security", [{"Bearer": []}, {"X-API-Key": []}])
        for status in _refusals(operation):
            operation["responses"][str(status.value)] = _problem_response(status, operation)


def _refusals(operation: dict[str, Any]) -> Iterator[HTTPStatus]:
    yield HTTPStatus.TOO_MANY_REQUESTS
    if "security" in operation:
        yield from KEY_STATUSES
    if "requestBody" in operation:
        yield from _BODY_STATUSES
    elif "parameters" in operation:
        yield HTTPStatus.UNPROCESSABLE_ENTITY


def _problem_response(status: HTTPStatus, operation: dict[str, Any]) -> dict[str, Any]:
    response = operation["responses"].get(str(status.value), {})
    return {"description": status.phrase, **response, "content": CONTENT}


def _name_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move an inline body to the schemas; generated clients would otherwise have a class for each use."""
    body = operation.get("requestBody", {})
    for media_type, content in body.get("content", {}).items():
        if name := content["schema"].get("title"):
            schemas |= content["schema"].pop("$defs", {})
            schemas[name] = content["schema"]
            reference = {"$ref": f"#/components/schemas/{name}"}
            operation["requestBody"] = {**body, "content": {media_type: {"schema": reference}}}


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation
