"""What a client posts, as a request model, on the shortest way (docs/decisions/0025).

FastAPI would decode the JSON into Python objects and look at each field in Python; pydantic reads the bytes itself, in
a tenth of the time. The document at /openapi.json learns of the body from `documented`.
"""

from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

Asked = TypeVar("Asked", bound=BaseModel)


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request alone and returns the response: it is called as it is.

    FastAPI's solving of dependencies would take longer than a cached answer. There must be none, then; what goes for
    all requests (keys, limits, logs) is middleware. Errors are the application's handlers' to answer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Raises TypeError if there are dependencies, which would be passed over."""
        super().__init__(*args, **kwargs)
        if self.dependencies or self.dependant.dependencies:
            raise TypeError(f"{self.path} is a DirectRoute and has dependencies, which would be passed over")
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


async def posted(request: Request, kind: type[Asked]) -> Asked:
    """The body. Raises RequestValidationError, as FastAPI would, for one that is not JSON or not of this kind; and
    HTTPException (400) if the client has gone before it was whole.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise RequestValidationError([{"loc": ("body",), "msg": "content-type must be application/json"}])
    try:
        return kind.model_validate_json(await _body(request))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


async def _body(request: Request) -> bytearray:
    """As `Request.body`, whose generators take longer than the parsing."""
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(HTTPStatus.BAD_REQUEST)
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def documented(kind: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body by `posted`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": kind.model_json_schema()}}}}
