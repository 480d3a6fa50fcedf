"""A load generator for HTTP/1.1: a few connections, each sending the next request as soon as it has a response.

httpx takes longer for a request than the service for its answer, so it would measure itself; this one takes a tenth of
that. Its own limit is measured against a server that does nothing (`constant_server`).
"""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import uvloop

_WARM_UP_SECONDS = 1.0
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True)
class Load:
    """The result: requests per second, the seconds of each, and the number of each status."""

    per_second: float
    seconds: np.ndarray
    statuses: Counter[int]

    def ms(self, share: float) -> float:
        """Return the milliseconds within which this share of the requests was answered."""
        return float(np.quantile(self.seconds, share) * 1000)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    kind = "content-type: application/json\r\n" if body else ""
    return f"{head}{kind}\r\n".encode() + body


@dataclass(frozen=True)
class Group:
    """A number of connections, which send the requests in turn."""

    requests: Sequence[bytes]
    connections: int = 16


def load(port: int, *groups: Group, seconds: float = 3.0) -> list[Load]:
    """Load the loopback port from all groups at once; return a result for each. A second of warm-up is not counted."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(port, groups, seconds))


@contextmanager
def constant_server(body: bytes) -> Iterator[int]:
    """Yield the port of a server that answers every request with `body` without reading it: the upper limit."""
    loop = uvloop.new_event_loop()
    answer = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    server = loop.run_until_complete(loop.create_server(lambda: _Answerer(answer), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _load(port: int, groups: Sequence[Group], seconds: float) -> list[Load]:
    groups_of_clients = [await _connect(port, group) for group in groups]
    all_clients = [client for clients in groups_of_clients for client in clients]
    await asyncio.sleep(_WARM_UP_SECONDS)
    for client in all_clients:
        client.forget()
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    duration = time.perf_counter() - start
    for client in all_clients:
        client.close()
    return [_sum(clients, duration) for clients in groups_of_clients]


async def _connect(port: int, group: Group) -> list["_Client"]:
    turns = itertools.cycle(group.requests)
    clients = [_Client(turns) for _ in range(group.connections)]
    for client in clients:
        await asyncio.get_running_loop().create_connection(lambda client=client: client, "127.0.0.1", port)
    return clients


def _sum(clients: Sequence["_Client"], duration: float) -> Load:
    times = np.concatenate([client.times for client in clients])
    return Load(len(times) / duration, times, sum((client.statuses for client in clients), Counter()))


class _Client(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, turns: Iterator[bytes]) -> None:
        self._turns = turns
        self._answer = b""
        self._is_closed = False
        self.forget()

    def forget(self) -> None:
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()

    def close(self) -> None:
        self._is_closed = True
        self._transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head = self._answer.find(_END)
        if head < 0 or len(self._answer) < head + len(_END) + self._length(head):
            return
        self.times.append(time.perf_counter() - self._start)
        self.statuses[int(self._answer[9:12])] += 1
        self._answer = b""
        if not self._is_closed:
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_closed:
            raise SystemExit(f"the server closed a connection: {error}")

    def _ask(self) -> None:
        self._start = time.perf_counter()
        self._transport.write(next(self._turns))

    def _length(self, head: int) -> int:
        at = self._answer.index(_LENGTH, 0, head) + len(_LENGTH)
        return int(self._answer[at : self._answer.index(b"\r", at)])


class _Answerer(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)
