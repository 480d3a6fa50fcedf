"""A bound on what a client may send."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zenith_serving.problem_details import http_problem

MAX_BODY_BYTES = 1_048_576  # a batch of 200 tickers is below 10 kB


class BodyLimit:
    """Refuses a body above MAX_BODY_BYTES with 413: by its declared length, or as soon as so much has come.

    FastAPI's own `max_body_size` answers the first in plain text, not with a problem document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within the bound."""
        declared = _declared_bytes(scope) if scope["type"] == "http" else 0
        if declared is None:
            await self._app(scope, _counted(receive), send)
        elif declared <= MAX_BODY_BYTES:  # the server passes on no more than that
            await self._app(scope, receive, send)
        else:
            await http_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)(scope, receive, send)


def _counted(receive: Receive) -> Receive:
    came = 0

    async def count() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > MAX_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return count


def _declared_bytes(scope: Scope) -> int | None:
    """The content-length; None if there is none, and the body's end is told as it comes."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else None
    return None
