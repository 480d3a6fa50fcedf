"""Errors as problem documents (RFC 9457). A document never repeats client input."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from zenith_core.errors import CorruptData, UserError, ZenithError
from zenith_serving.errors import (
    CacheUnavailable,
    CrossSite,
    DagsterUnavailable,
    DistributionUnavailable,
    FeatureMismatch,
    KeyMissing,
    KeyWrong,
    ModelUnavailable,
    NoEarlierForecast,
    RegistryUnavailable,
    TickerGone,
    TrainingActive,
    UniverseUnavailable,
    UnknownJob,
    UnknownRun,
    UnknownTicker,
    UnknownVersion,
    unknown_name,
)
from zenith_serving.request_id import request_id
from zenith_serving.schemas.predictions import Problem

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 10
_MAX_ERRORS = 3  # keeps a document below 1 kB
_TYPE = "urn:zenith:problem:"
BODY_KIND = "zenith.body_kind"  # in a scope: the schema of a body that its route reads itself

# From specific to general: the first match is used.
_KINDS: tuple[tuple[type[ZenithError], str, HTTPStatus, str], ...] = (
    (UnknownVersion, "unknown-version", HTTPStatus.NOT_FOUND, "No such version"),
    (NoEarlierForecast, "no-earlier-forecast", HTTPStatus.NOT_FOUND, "No earlier forecast to compare with"),
    (UnknownTicker, "unknown-ticker", HTTPStatus.NOT_FOUND, "Unknown ticker"),
    (TickerGone, "ticker-gone", HTTPStatus.GONE, "No predictions for this ticker any more"),
    (FeatureMismatch, "feature-mismatch", HTTPStatus.SERVICE_UNAVAILABLE, "Model and data do not fit together"),
    (ModelUnavailable, "model-unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "No model to answer with"),
    (
        DistributionUnavailable,
        "distribution-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No distribution of returns to answer with",
    ),
    (
        UniverseUnavailable,
        "universe-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "No forecast of all tickers to answer with",
    ),
    (RegistryUnavailable, "registry-away", HTTPStatus.SERVICE_UNAVAILABLE, "The model registry is unavailable"),
    (DagsterUnavailable, "dagster-away", HTTPStatus.SERVICE_UNAVAILABLE, "Dagster cannot do this now"),
    (TrainingActive, "training-active", HTTPStatus.CONFLICT, "Another training of this ticker is in progress"),
    (UnknownRun, "unknown-run", HTTPStatus.NOT_FOUND, "No such run"),
    (UnknownJob, "unknown-job", HTTPStatus.NOT_FOUND, "No such job"),
    (CacheUnavailable, "cache-away", HTTPStatus.SERVICE_UNAVAILABLE, "The cache is unavailable"),
    (CorruptData, "data-unreadable", HTTPStatus.SERVICE_UNAVAILABLE, "Stored data cannot be read"),
    (KeyMissing, "key-missing", HTTPStatus.UNAUTHORIZED, "A key is needed"),
    (KeyWrong, "key-wrong", HTTPStatus.FORBIDDEN, "The key is not valid"),
    (CrossSite, "cross-site", HTTPStatus.FORBIDDEN, "Another site may not do this"),
    (UserError, "invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not valid"),
    (ZenithError, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The answer is not available"),
)

_HINTS = {
    HTTPStatus.NOT_FOUND: "no such address: /docs lists all",
    HTTPStatus.BAD_REQUEST: "the request cannot be read: HTTP with a JSON body is expected",
    HTTPStatus.REQUEST_TIMEOUT: "the request took too long to arrive",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is above 1 MiB",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "the headers are too large",
    HTTPStatus.SERVICE_UNAVAILABLE: "the service is busy",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests from this client: wait for Retry-After seconds",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the service failed: its log has the reason",
}

CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}  # added by openapi.py

RESPONSES: dict[int | str, dict[str, Any]] = {
    int(status): {"description": status.phrase, "content": CONTENT}
    for status in (
        HTTPStatus.NOT_FOUND,
        HTTPStatus.GONE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
}
"""Responses of a prediction route besides 200, for the OpenAPI document."""


def problem_of(error: ZenithError) -> Problem:
    """Make the problem document of one of Zenith's errors."""
    slug, status, title = next((slug, status, title) for kind, slug, status, title in _KINDS if isinstance(error, kind))
    extension = {"nearby": error.nearby} if isinstance(error, UnknownTicker) else {}
    return Problem(type=_TYPE + slug, title=title, status=status, detail=str(error), **extension)


def error_response(error: ZenithError) -> Response:
    """Make the response of one of Zenith's errors, for middleware."""
    return _respond(problem_of(error))


def http_problem(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Response:
    """Make the response of a plain HTTP error."""
    return _respond(_http_problem(status), headers)


def unexpected_problem() -> Problem:
    """Make the problem document of an unexpected error."""
    return _http_problem(HTTPStatus.INTERNAL_SERVER_ERROR)


def add_handlers(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    app.add_exception_handler(ZenithError, _on_zenith_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected_error)


def _http_problem(status: HTTPStatus) -> Problem:
    detail = _HINTS.get(status, status.phrase)
    return Problem(type=f"{_TYPE}http-{status.value}", title=status.phrase, status=status, detail=detail)


def _respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    headers = dict(headers or {})
    if current_id := request_id.get():
        problem = problem.model_copy(update={"request_id": current_id})
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)


async def _on_zenith_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ZenithError)
    return error_response(error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = _body_fields(request.scope)
    errors = [_error(one, fields) for one in error.errors()[:_MAX_ERRORS]]
    problem = problem_of(UserError("; ".join(f"{one['field']}: {one['message']}" for one in errors)))
    return _respond(problem.model_copy(update={"errors": errors}))


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return http_problem(HTTPStatus(error.status_code), error.headers)


async def _on_unexpected_error(_: Request, error: Exception) -> Response:
    """Answer 500 without details; the server logs the traceback."""
    # Starlette answers outside of all middleware, so RequestObserver cannot add the header.
    headers = {"X-Request-ID": current_id} if (current_id := request_id.get()) else None
    return http_problem(HTTPStatus.INTERNAL_SERVER_ERROR, headers)


def _error(error: Mapping[str, Any], fields: Collection[str]) -> dict[str, str]:
    """Return the declared field and the message of one of pydantic's errors."""
    if error["type"] == "extra_forbidden":
        message = unknown_name("field", str(error["loc"][-1]), fields)
        return {"field": _field(error["loc"][:-1]), "message": message}
    return {"field": _field(error["loc"]), "message": error["msg"][:160]}


def _body_fields(scope: Scope) -> Collection[str]:
    """Return the names of the fields of the route's body."""
    field = getattr(scope.get("route"), "body_field", None)
    kind = scope.get(BODY_KIND) or getattr(getattr(field, "field_info", None), "annotation", None)
    return list(getattr(kind, "model_fields", ()))


def _field(location: tuple[int | str, ...]) -> str:
    """Return the name of a declared field, or "body"; positions are left out, and a union's tag if it is the name."""
    names = [part for part in location[1:] if isinstance(part, str)]
    return ".".join(name for name, before in zip(names, ["", *names], strict=False) if name != before) or "body"
