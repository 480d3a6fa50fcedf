"""Middleware that gives each request an id, and passes a record of each answered request to observers.

A record has the route's template, never the address. Plain ASGI, because every request goes through it.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from random import getrandbits
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_ROUTE = "none"
CLIENT_GONE = 499  # nginx's status for a client that did not wait for the answer
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The current request's id: the client's X-Request-ID if it has safe characters only, else a random one."""

_ID_HEADER = b"x-request-id"
_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestRecord(NamedTuple):
    """An answered request. All but `seconds` have a bounded number of values."""

    method: str
    route: str
    status: int
    seconds: float


class RequestObserver:
    """Adds an id to each request and its response, and calls `observers` with the request's record."""

    def __init__(self, app: ASGIApp, observers: Sequence[Callable[[RequestRecord, Scope], None]]) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note the status of its response: 500 for an exception."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = CLIENT_GONE
        start = time.perf_counter()
        # Not secret, so the operating system's random numbers, a call into the kernel, are not needed.
        current_id = _client_id(scope) or f"{getrandbits(128):032x}"
        request_id.set(current_id)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_ID_HEADER, current_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            status = 500
            raise
        finally:
            record = RequestRecord(_method(scope), route_template(scope), status, time.perf_counter() - start)
            for observer in self._observers:
                observer(record, scope)


def route_template(scope: Scope) -> str:
    """Return the route's path with placeholders, as `/models/{ticker}/history`; NO_ROUTE if no route matches."""
    return getattr(scope.get("route"), "path", None) or NO_ROUTE


def _client_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _ID_HEADER:
            return str(value.decode()) if _ID.fullmatch(value) else None
    return None


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"
