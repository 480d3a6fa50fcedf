"""What a client posts, as a request model.

FastAPI would decode the JSON into Python objects and look at each field in Python; pydantic reads the bytes itself, in
a tenth of the time, which is a third of what a cached answer takes (docs/decisions/0025). The document at /openapi.json
learns of the body from `documented`.
"""

from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

Asked = TypeVar("Asked", bound=BaseModel)


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
