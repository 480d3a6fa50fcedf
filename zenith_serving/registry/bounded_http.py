"""HTTP requests that end: one deadline for the whole response, however slowly its bytes arrive."""

import socket
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Lock, Timer
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, Request, build_opener

MAX_BYTES = 256 * 2**20


class Deadline:
    """The end of one question to a server, for all the requests that it takes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def send(self, request: Request) -> bytes:
        """Return the body of the response.

        Raises HTTPError for a status of 400 or above, TimeoutError after the deadline, OSError or HTTPException if
        there is no whole response.
        """
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"no answer within {self.seconds:g} s")
        connections = _Connections()
        timer = Timer(remaining, connections.cut)
        timer.daemon = True
        timer.start()
        try:
            with connections.opener().open(request, timeout=remaining) as response:
                content: bytes = response.read(MAX_BYTES)
        except (OSError, HTTPException) as error:
            if connections.are_cut or isinstance(error, TimeoutError):
                raise TimeoutError(f"no answer within {self.seconds:g} s") from None
            raise
        finally:
            timer.cancel()
            connections.close()
        if connections.are_cut:
            raise TimeoutError(f"no whole answer within {self.seconds:g} s")
        if len(content) == MAX_BYTES:
            raise HTTPException(f"a body of more than {MAX_BYTES} bytes")
        return content


class _Connections:
    """The sockets of a request, its redirects included, so that another thread can cut them."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._guard = Lock()
        self.are_cut = False

    def opener(self) -> OpenerDirector:
        """Return a urllib opener, which follows redirects and proxies, whose sockets are watched."""

        def plain(host: str, **options: Any) -> HTTPConnection:
            return self._watched(_WatchedHTTP(host, **options))

        def tls(host: str, **options: Any) -> HTTPConnection:
            return self._watched(_WatchedHTTPS(host, **options))

        class Plain(HTTPHandler):
            def http_open(self, req: Request) -> HTTPResponse:
                return self.do_open(plain, req)

        class TLS(HTTPSHandler):
            def https_open(self, req: Request) -> HTTPResponse:
                return self.do_open(tls, req)

        return build_opener(Plain, TLS)

    def watch(self, connection: socket.socket) -> None:
        """Keep a duplicate, which stays valid when TLS wraps the socket."""
        with self._guard:
            self._sockets.append(connection.dup())
        if self.are_cut:
            self.cut()

    def cut(self) -> None:
        """End every read and write on the sockets."""
        self.are_cut = True
        with self._guard:
            for one in self._sockets:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:  # closed by the server
                    continue

    def close(self) -> None:
        """Close the duplicates."""
        with self._guard:
            for one in self._sockets:
                one.close()
            self._sockets.clear()

    def _watched(self, connection: "_WatchedHTTP") -> "_WatchedHTTP":
        connection.connections = self
        return connection


class _WatchedHTTP(HTTPConnection):
    connections: _Connections

    def connect(self) -> None:
        super().connect()
        self.connections.watch(self.sock)


class _WatchedHTTPS(HTTPSConnection, _WatchedHTTP):
    """By the order of its bases the socket is watched before the TLS handshake."""
