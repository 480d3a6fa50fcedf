"""Errors as problem documents (RFC 9457). A document never repeats what the client sent."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from zenith_core.errors import CorruptData, UserError, ZenithError
from zenith_serving.errors import (
    CacheUnavailable,
    CrossSite,
    DagsterUnavailable,
    FeatureMismatch,
    KeyMissing,
    KeyWrong,
    ModelUnavailable,
    RegistryUnavailable,
    TickerGone,
    UnknownJob,
    UnknownRun,
    UnknownTicker,
)
from zenith_serving.request_id import request_id
from zenith_serving.schemas.predictions import Problem

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 10
_MOST_ERRORS = 3  # keeps a document below 1 kB
_TYPE = "urn:zenith:problem:"

# From the particular to the general: the first that fits is used.
_KINDS: tuple[tuple[type[ZenithError], str, HTTPStatus, str], ...] = (
    (UnknownTicker, "unknown-ticker", HTTPStatus.NOT_FOUND, "Unknown ticker"),
    (TickerGone, "ticker-gone", HTTPStatus.GONE, "No predictions for this ticker any more"),
    (FeatureMismatch, "feature-mismatch", HTTPStatus.SERVICE_UNAVAILABLE, "Model and data do not fit together"),
    (ModelUnavailable, "model-unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "No model to answer with"),
    (RegistryUnavailable, "registry-away", HTTPStatus.SERVICE_UNAVAILABLE, "The model registry is away"),
    (DagsterUnavailable, "dagster-away", HTTPStatus.SERVICE_UNAVAILABLE, "Dagster cannot do this now"),
    (UnknownRun, "unknown-run", HTTPStatus.NOT_FOUND, "No such run"),
    (UnknownJob, "unknown-job", HTTPStatus.NOT_FOUND, "No such job"),
    (CacheUnavailable, "cache-away", HTTPStatus.SERVICE_UNAVAILABLE, "The cache is away"),
    (CorruptData, "data-unreadable", HTTPStatus.SERVICE_UNAVAILABLE, "Stored data cannot be read"),
    (KeyMissing, "key-missing", HTTPStatus.UNAUTHORIZED, "A key is needed"),
    (KeyWrong, "key-wrong", HTTPStatus.FORBIDDEN, "The key is not valid"),
    (CrossSite, "cross-site", HTTPStatus.FORBIDDEN, "Another site may not do this"),
    (UserError, "invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not valid"),
    (ZenithError, "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The answer is not available"),
)

_HINTS = {
    HTTPStatus.NOT_FOUND: "no such address: /docs lists them",
    HTTPStatus.BAD_REQUEST: "the request cannot be read: HTTP with a body of JSON is expected",
    HTTPStatus.REQUEST_TIMEOUT: "the request took too long to arrive",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is above 1 MiB",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "the headers are too large",
    HTTPStatus.SERVICE_UNAVAILABLE: "the service is busy",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests from here: Retry-After says when to ask again",
    HTTPStatus.INTERNAL_SERVER_ERROR: "something went wrong here, and was logged",
}

CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}  # which openapi.py puts there

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
"""What a prediction route may answer besides 200, for the OpenAPI document."""


def problem_of(error: ZenithError) -> Problem:
    """The problem document of one of our own errors."""
    slug, status, title = next((slug, status, title) for kind, slug, status, title in _KINDS if isinstance(error, kind))
    more = {"nearby": error.nearby} if isinstance(error, UnknownTicker) else {}
    return Problem(type=_TYPE + slug, title=title, status=status, detail=str(error), **more)


def error_response(error: ZenithError) -> Response:
    """One of our own errors as an answer, for what lies around the routes."""
    return _respond(problem_of(error))


def http_problem(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Response:
    """A plain HTTP error as a response."""
    return _respond(_plain(status), headers)


def surprise() -> Problem:
    """The problem document of an error that nobody foresaw."""
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def add_handlers(app: FastAPI) -> None:
    """Let every error leave as a problem document."""
    app.add_exception_handler(ZenithError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_surprise)


def _plain(status: HTTPStatus) -> Problem:
    detail = _HINTS.get(status, status.phrase)
    return Problem(type=f"{_TYPE}http-{status.value}", title=status.phrase, status=status, detail=detail)


def _respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    headers = dict(headers or {})
    if this := request_id.get():
        problem = problem.model_copy(update={"request_id": this})
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(problem.model_dump_json(), problem.status, headers, MEDIA_TYPE)


async def _on_our_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ZenithError)
    return error_response(error)


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [{"field": _field(one["loc"]), "message": one["msg"][:160]} for one in error.errors()[:_MOST_ERRORS]]
    problem = problem_of(UserError("; ".join(f"{one['field']}: {one['message']}" for one in found)))
    return _respond(problem.model_copy(update={"errors": found}))


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return http_problem(HTTPStatus(error.status_code), error.headers)


async def _on_surprise(_: Request, error: Exception) -> Response:
    """The server logs the traceback; the client learns only that it was not its fault."""
    # Starlette answers this one outside of all middleware, so the id's header is not added there.
    headers = {"X-Request-ID": this} if (this := request_id.get()) else None
    return http_problem(HTTPStatus.INTERNAL_SERVER_ERROR, headers)


def _field(location: tuple[int | str, ...]) -> str:
    """The name of a declared field, or of the whole body: positions and names the client made up are left out."""
    names = [part for part in location[1:] if isinstance(part, str)]
    return ".".join(names) or "body"
