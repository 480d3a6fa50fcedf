"""uvicorn's HTTP protocol with limits on time, header size and connections.

uvicorn waits forever for the rest of a request, and keeps headers of any size. A middleware would be too late: the
application is called when all headers have arrived.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from zenith_serving.problem_details import http_problem

CHECK_SECONDS = 0.5


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A client that is too slow gets 408, a client that waited too long gets 503; then it closes.

    All bytes except the body (headers, trailers, frames of chunks) may be `max_head_bytes` plus nine times the body: a
    chunk of one byte takes six.
    """

    head_seconds = 10.0
    body_seconds = 20.0
    answer_seconds = 60.0
    max_head_bytes = 65_536
    max_connections = 512  # a process can often open 1024 files, and needs some for itself

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._started: float | None = None  # time of the current request's start; None between requests
        self._has_head = self._has_body = False
        self._is_first_read = True
        self._is_refused = False
        self._bytes = self._body_bytes = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection if there are too many, else start the clock of its first request."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._start_request()
            self._watch = self.loop.call_later(CHECK_SECONDS, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop checking."""
        if self._watch:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of an incomplete request, except its first read, which the previous request may share."""
        if self._started is None:
            self._start_request()
        super().data_received(data)
        if self._has_body or self._started is None:
            return
        if not self._is_first_read:
            self._bytes += len(data)
        self._is_first_read = False
        if self._bytes > self.max_head_bytes + 10 * self._body_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Start the clock of a request."""
        super().on_message_begin()
        self._start_request()

    def on_headers_complete(self) -> None:
        """Call the application."""
        super().on_headers_complete()
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        """Count a part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of the request; its response may have been sent already."""
        self._has_body = True
        super().on_message_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._started = None

    def on_response_complete(self) -> None:
        """Note the end of the response, and start the clock of a pipelined request. The body may still be arriving."""
        if self._has_body:
            self._started = self.loop.time() if self.pipeline else None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse malformed HTTP, without uvicorn's message about the details."""
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _start_request(self) -> None:
        self._started = self.loop.time()
        self._has_head = self._has_body = False
        self._is_first_read = True
        self._bytes = self._body_bytes = 0

    def _check(self) -> None:
        """Enforce the time limits, every CHECK_SECONDS while the connection is open."""
        self._watch = self.loop.call_later(CHECK_SECONDS, self._check)
        if self._started is None:
            if self.transport.is_closing():
                self._started = self.loop.time()  # the client has not read the last response yet
            return
        elapsed = self.loop.time() - self._started
        if self._is_refused or (self.transport.is_closing() and elapsed > self.answer_seconds):
            self.transport.abort()
        elif not self._has_body and elapsed > (self.body_seconds if self._has_head else self.head_seconds):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif elapsed > self.answer_seconds:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer with a problem, unless a response has started, and close.

        A client that does not read it is disconnected at the next check.
        """
        if not self.transport.is_closing() and self._can_answer():
            self.transport.write(_raw_response(status))
        self.transport.close()
        self._is_refused = True

    def _can_answer(self) -> bool:
        if self._has_head:
            return self.cycle is not None and not self.cycle.response_started
        return self.cycle is None or bool(self.cycle.response_complete)


def _raw_response(status: HTTPStatus) -> bytes:
    response = http_problem(status)
    response.headers["connection"] = "close"
    head = b"".join(name + b": " + value + b"\r\n" for name, value in response.raw_headers)
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + head + b"\r\n" + bytes(response.body)
