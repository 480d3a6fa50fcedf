"""Gives each request an id, and tells of it once it is answered: its route's template, never its address.

Plain ASGI, since it is on the way of every request.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from random import getrandbits
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_ROUTE = "none"
CLIENT_GONE = 499  # as nginx counts those that did not wait for an answer
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request at hand: the client's X-Request-ID if that is of harmless letters, else one made here."""

_ID_HEADER = b"x-request-id"
_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestRecord(NamedTuple):
    """A request that was answered, in terms of which there is a bounded number."""

    method: str
    route: str
    status: int
    seconds: float


class RequestObserver:
    """Passes each request on under its id, which goes back with the answer, and hands what it was to `observers`."""

    def __init__(self, app: ASGIApp, observers: Sequence[Callable[[RequestRecord, Scope], None]]) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note the status that goes out: 500 where an exception comes out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = CLIENT_GONE
        began = time.perf_counter()
        # No secret: the system's random numbers would be a call into the kernel.
        this = _id_sent(scope) or f"{getrandbits(128):032x}"
        request_id.set(this)

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_ID_HEADER, this.encode())]
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            status = 500
            raise
        finally:
            record = RequestRecord(_method(scope), route_template(scope), status, time.perf_counter() - began)
            for observer in self._observers:
                observer(record, scope)


def route_template(scope: Scope) -> str:
    """`/models/{ticker}/history`, where the client asked for one ticker's; NO_ROUTE if nothing fits the address."""
    return getattr(scope.get("route"), "path", None) or NO_ROUTE


def _id_sent(scope: Scope) -> str | None:
    sent = next((value for name, value in scope["headers"] if name == _ID_HEADER), b"")
    return sent.decode() if _ID.fullmatch(sent) else None


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in _METHODS else "other"
