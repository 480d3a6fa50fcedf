"""What a client posts, as a request model, on the shortest way (docs/decisions/0025).

FastAPI would decode the JSON into Python objects and look at each field in Python; pydantic reads the bytes itself, in
a tenth of the time. The document at /openapi.json learns of the body from `documented`.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

Asked = TypeVar("Asked", bound=BaseModel)


class DirectRoute(APIRoute):
    """A route whose endpoint takes the request alone and returns the response: it is called as it is.

    FastAPI's solving of dependencies would take longer than a cached answer. There must be none, then; what goes for
    all requests (keys, limits, logs) is middleware.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint. Raises TypeError if there are dependencies, which would be passed over."""
        if self.dependencies or self.dependant.dependencies:
            raise TypeError(f"{self.path} is a DirectRoute and has dependencies, which would be passed over")
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


async def posted(request: Request, kind: type[Asked]) -> Asked:
    """The body. Raises RequestValidationError, as FastAPI would, for one that is not JSON or not of this kind."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise RequestValidationError([{"loc": ("body",), "msg": "content-type must be application/json"}])
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


def documented(kind: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body by `posted`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": kind.model_json_schema()}}}}
