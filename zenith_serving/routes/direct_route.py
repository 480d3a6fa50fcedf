"""Routes that bypass FastAPI's body parsing and dependencies (docs/decisions/0041 has what that brings).

FastAPI decodes JSON into Python objects and validates each field in Python; pydantic parses the bytes itself, in a
tenth of the time. `document_body` adds the body to /openapi.json.
"""

from functools import lru_cache
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from zenith_serving.problem_details import BODY_KIND

Body = TypeVar("Body", bound=BaseModel)

_MAX_KEPT = 256  # bytes of a body whose request is kept: most ask about one ticker


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request alone and returns JSON: FastAPI adds nothing to the call.

    Solving dependencies would take longer than a cached answer, so there must be none. Keys, limits and logs are
    middleware; errors go to the application's handlers.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Raise TypeError if there are dependencies, which would be ignored."""
        super().__init__(*args, **kwargs)
        if self.dependencies or self.dependant.dependencies:
            raise TypeError(f"{self.path} is a DirectRoute and has dependencies, which would be ignored")
        self.app = self._respond

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: bytes = await self.endpoint(Request(scope, receive))
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def read_body(request: Request, kind: type[Body]) -> Body:
    """Read and validate the body.

    Raises RequestValidationError, as FastAPI does, if it is not JSON or not valid for `kind`, and HTTPException (400)
    if the client disconnected before sending all of it.
    """
    request.scope[BODY_KIND] = kind
    media_type = _media_type(request.scope)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise RequestValidationError(
            [{"type": "content_type", "loc": ("body",), "msg": "content-type must be application/json"}]
        )
    try:
        body = await _bytes(request)
        return _parsed(kind, body) if len(body) <= _MAX_KEPT else kind.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**problem, "loc": ("body", *problem["loc"])} for problem in problems]) from None


@lru_cache(maxsize=1024)
def _parsed(kind: type[Body], body: bytes) -> Body:
    """Return a request, which is frozen: programs ask the same again and again."""
    return kind.model_validate_json(body)


def _media_type(scope: Scope) -> str:
    """Return the type of the body without its parameters, in a fifth of the time that Starlette's headers take."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.decode("latin-1").partition(";")[0].strip().lower())
    return ""


async def _bytes(request: Request) -> bytes:
    """As `Request.body`, whose generators take longer than the parsing."""
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(HTTPStatus.BAD_REQUEST)
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def document_body(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that calls `read_body`."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
