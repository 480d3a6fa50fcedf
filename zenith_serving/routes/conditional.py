"""Answers with an ETag: a client that has this answer already gets 304 without a body."""

from hashlib import blake2b
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The answer is the one whose `ETag` the request names in `If-None-Match`."}
}
"""The documentation of such a route's other answer."""


def with_etag(request: Request, body: BaseModel) -> Response:
    """Return the body as JSON, or 304 if the request names its ETag in If-None-Match."""
    content = body.model_dump_json().encode()
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}  # to be kept, and asked for anew each time
    names = (name.strip().removeprefix("W/") for name in request.headers.get("if-none-match", "").split(","))
    if {tag, "*"} & {*names}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
