"""A load generator for HTTP/1.1: a few connections, each asking again as soon as it is answered.

httpx takes longer for a request than the service for its answer, so it would measure itself; this one takes a tenth of
that. How much it can do is measured against a server that does nothing (`constant_server`).
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
    """What came of it: requests per second, the seconds that each took, and how many had which status."""

    per_second: float
    seconds: np.ndarray
    statuses: Counter[int]

    def ms(self, share: float) -> float:
        """Milliseconds within which this share of the requests was answered."""
        return float(np.quantile(self.seconds, share) * 1000)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
    kind = "content-type: application/json\r\n" if body else ""
    return f"{head}{kind}\r\n".encode() + body


@dataclass(frozen=True)
class Group:
    """So many connections, whose requests take turns."""

    requests: Sequence[bytes]
    connections: int = 16


def load(port: int, *groups: Group, seconds: float = 3.0) -> list[Load]:
    """Let all groups ask the loopback port at once; what came of each. A second of warming up is not counted."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(port, groups, seconds))


@contextmanager
def constant_server(body: bytes) -> Iterator[int]:
    """The port of a server that answers every request with `body` without reading it: the fastest there can be."""
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
    crowds = [await _crowd(port, group) for group in groups]
    everybody = [asker for crowd in crowds for asker in crowd]
    await asyncio.sleep(_WARM_UP_SECONDS)
    for asker in everybody:
        asker.forget()
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - started
    for asker in everybody:
        asker.close()
    return [_sum(crowd, took) for crowd in crowds]


async def _crowd(port: int, group: Group) -> list["_Asker"]:
    turns = itertools.cycle(group.requests)
    askers = [_Asker(turns) for _ in range(group.connections)]
    for asker in askers:
        await asyncio.get_running_loop().create_connection(lambda asker=asker: asker, "127.0.0.1", port)
    return askers


def _sum(crowd: Sequence["_Asker"], took: float) -> Load:
    times = np.concatenate([asker.times for asker in crowd])
    return Load(len(times) / took, times, sum((asker.statuses for asker in crowd), Counter()))


class _Asker(asyncio.Protocol):
    """One connection, one request under way."""

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
        self.times.append(time.perf_counter() - self._asked)
        self.statuses[int(self._answer[9:12])] += 1
        self._answer = b""
        if not self._is_closed:
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_closed:
            raise SystemExit(f"the server closed a connection: {error}")

    def _ask(self) -> None:
        self._asked = time.perf_counter()
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
