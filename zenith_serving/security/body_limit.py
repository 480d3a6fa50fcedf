"""The limit on the size of a request body."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zenith_serving.problem_details import http_problem

MAX_BODY_BYTES = 1_048_576  # a batch of 200 tickers is below 10 kB


class BodyLimit:
    """Answers 413 to a body above MAX_BODY_BYTES: by its declared length, or as soon as more has arrived.

    FastAPI's `max_body_size` answers the former in plain text, not with a problem document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        length = _content_length(scope) if scope["type"] == "http" else 0
        if length is None:
            await self._app(scope, _limited(receive), send)
        elif length <= MAX_BODY_BYTES:  # the server passes on no more than the declared length
            await self._app(scope, receive, send)
        else:
            await http_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)(scope, receive, send)


def _limited(receive: Receive) -> Receive:
    total = 0

    async def receive_within_limit() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MAX_BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return receive_within_limit


def _content_length(scope: Scope) -> int | None:
    """Return the Content-Length, or None for a chunked body."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else None
    return None
