"""uvicorn's HTTP protocol with bounds on what a client may hold: time, bytes around a body, connections.

uvicorn waits without end for a request that has begun, and keeps headers of any size. A bound in a middleware would
begin too late, since the application is called when all headers are there.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from zenith_serving.problem_details import http_problem

CHECK_SECONDS = 0.5


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A client that is too slow gets 408 and is let go; one that we let wait too long, 503.

    What lies around a body (headers, trailers, the frames of chunks) may be `most_head_bytes`, and as much again as
    nine times the body: a chunk of one byte takes six.
    """

    head_seconds = 10.0
    body_seconds = 20.0
    answer_seconds = 60.0
    most_head_bytes = 65_536
    most_connections = 512  # a process may often have 1024 files open, and needs some itself

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._began: float | None = None  # when the request at hand did; None between requests
        self._has_head = self._has_all = False
        self._is_first_read = True
        self._is_refused = False
        self._bytes = self._body_bytes = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse it if there are too many; else its first request counts from now."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._begin()
            self._watch = self.loop.call_later(CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch no more."""
        if self._watch:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what does not complete a request; it may have shared its first read with the one before it."""
        if self._began is None:
            self._begin()
        super().data_received(data)
        if self._has_all or self._began is None:
            return
        if not self._is_first_read:
            self._bytes += len(data)
        self._is_first_read = False
        if self._bytes > self.most_head_bytes + 10 * self._body_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        """The application is called."""
        super().on_headers_complete()
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        """A part of the body has come."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All has come; the answer may have gone out before."""
        self._has_all = True
        super().on_message_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._began = None

    def on_response_complete(self) -> None:
        """All is sent; a refused body may still be coming. A request that waited in line begins now."""
        if self._has_all:
            self._began = self.loop.time() if self.pipeline else None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; what was wrong with it helps only people who write HTTP by hand."""
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _begin(self) -> None:
        self._began = self.loop.time()
        self._has_head = self._has_all = False
        self._is_first_read = True
        self._bytes = self._body_bytes = 0

    def _check(self) -> None:
        """Again and again, while the connection is there."""
        self._watch = self.loop.call_later(CHECK_SECONDS, self._check)
        if self._began is None:
            if self.transport.is_closing():
                self._began = self.loop.time()  # what was sent last is not taken yet
            return
        took = self.loop.time() - self._began
        if self._is_refused or (self.transport.is_closing() and took > self.answer_seconds):
            self.transport.abort()
        elif not self._has_all and took > (self.body_seconds if self._has_head else self.head_seconds):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif took > self.answer_seconds:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def _refuse(self, status: HTTPStatus) -> None:
        """Say why, unless an answer is under way, and close; the next check cuts off who does not take it."""
        if not self.transport.is_closing() and self._may_answer():
            self.transport.write(_raw(status))
        self.transport.close()
        self._is_refused = True

    def _may_answer(self) -> bool:
        if self._has_head:
            return self.cycle is not None and not self.cycle.response_started
        return self.cycle is None or bool(self.cycle.response_complete)


def _raw(status: HTTPStatus) -> bytes:
    answer = http_problem(status)
    answer.headers["connection"] = "close"
    head = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + head + b"\r\n" + bytes(answer.body)
