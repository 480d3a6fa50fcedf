"""Slow clients: raw sockets against the server of `zenith serve`, with shorter time limits."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow  # starts a process

SERVER = """
import functools, sys, time
import uvicorn
from starlette.responses import StreamingResponse
from zenith_serving.http_protocol import BoundedProtocol as bounded
from zenith_serving import app as application
from zenith_serving import http_protocol as protocol
from zenith_serving import server as serve
from zenith_serving.settings import read_settings

protocol.CHECK_SECONDS = 0.05
bounded.head_seconds, bounded.body_seconds, bounded.answer_seconds, bounded.max_connections = 1, 1.5, 2, 20
uvicorn.Config = functools.partial(uvicorn.Config, timeout_keep_alive=2)
create_app = application.create_app

def with_slow_routes(*arguments):
    app = create_app(*arguments)
    app.get("/slow")(lambda: time.sleep(4))
    app.get("/at-once")(lambda: "x" * 50_000_000)
    app.get("/in-parts")(lambda: StreamingResponse("x" * 100_000 for _ in range(500)))
    return app

application.create_app = with_slow_routes
serve.serve("127.0.0.1", int(sys.argv[1]), read_settings())
"""
HEAD = b"POST /api/v1/ml/predict/price HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = b'{"ticker": "AAPL"}'
MEGABYTE = b" " * 1_000_000


class Server:
    def __init__(self, home, log):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        environment = {
            "PATH": "",
            "ZENITH_HOME": str(home),
            "REDIS_URL": "redis://:secret-of-redis@127.0.0.1:1",
            "LOG_LEVEL": "debug",
            "ZENITH_API_KEYS": "secret-key",
            "ZENITH_RATE_LIMIT": "3/day",
        }
        command = [sys.executable, "-c", SERVER, str(self.port)]
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        until(lambda: self.ask(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[0] == 200)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        return connection

    def ask(self, data):
        with self.connect() as connection:
            connection.sendall(data)
            return answer_of(connection)

    def peak_kb(self):
        return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])


def answer_of(connection):
    """Return (status, body), read until the connection ends or the body is complete; (None, "") if nothing arrives."""
    response = b""
    try:
        while chunk := connection.recv(65536):
            response += chunk
            head, _, body = response.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            if length and len(body) >= int(length[1]):
                break
    except ConnectionResetError:
        pass
    if not response:
        return None, ""
    return int(response.split()[1]), response.partition(b"\r\n\r\n")[2].decode()


def bytes_until_the_end(connection):
    count = 0
    try:
        while chunk := connection.recv(1 << 20):
            count += len(chunk)
    except ConnectionResetError:
        pass
    return count


def send_all(connection, parts):
    """Send until the server refuses more."""
    try:
        for part in parts:
            connection.sendall(part)
    except (BrokenPipeError, ConnectionResetError):
        pass


def until(condition):
    last = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < last
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("served")
    with (home / "log").open("w") as log:
        server = Server(home, log)
        yield server
        server.process.terminate()
        assert server.process.wait(PATIENCE) == -signal.SIGTERM
    log_text = (home / "log").read_text()
    assert "Traceback" not in log_text
    assert "redis" in log_text
    assert "secret" not in log_text


def is_problem(answer, status):
    assert answer[0] == status
    document = json.loads(answer[1])
    assert document["status"] == status
    assert len(answer[1]) < 1024


def is_well(server):
    assert server.ask(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[0] == 200


INCOMPLETE = (
    b"",
    b"P",
    b"\r\n",
    HEAD,
    HEAD + b"X-Key: secret-in-a-header",
    HEAD + b"Content-Length: 50\r\n\r\n{",
    CHUNKED + b"5\r\n{",
)


def test_clients_that_stop_mid_request_get_408_and_block_no_one(server):
    slow = [server.connect() for _ in range(14)]
    for connection, start in zip(slow, INCOMPLETE * 2, strict=True):
        connection.sendall(start)
    is_well(server)
    for connection in slow:
        with connection:
            is_problem(answer_of(connection), 408)
            assert connection.recv(1) == b""


@pytest.mark.parametrize("trickle", [b"\r\n", b"X-A: b\r\n"])
def test_a_client_that_trickles_headers_is_disconnected(server, trickle):
    with server.connect() as connection:
        if trickle != b"\r\n":
            connection.sendall(HEAD)
        parts = (time.sleep(0.05) or trickle for _ in range(200))
        send_all(connection, parts)
        assert answer_of(connection)[0] in (408, None)  # None: its later bytes reset the connection
    is_well(server)


def test_a_client_may_pause_longer_between_requests_than_within_one(server):
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD)
            assert answer_of(connection)[0] == 404  # no snapshot here, but an answer
            time.sleep(1.2)


def test_connections_above_the_limit_are_refused_until_others_close(server):
    many = [server.connect() for _ in range(20)]
    until(lambda: server.ask(b"")[0] == 503)
    for connection in many:
        connection.close()
    until(lambda: server.ask(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[0] == 200)


def test_a_request_that_the_service_answers_too_slowly_is_503(server):
    is_problem(server.ask(b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), 503)


def test_a_client_that_does_not_read_is_disconnected(server):
    with server.connect() as at_once, server.connect() as in_parts:
        at_once.sendall(b"GET /at-once HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        in_parts.sendall(b"GET /in-parts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for connection in (at_once, in_parts):
            assert connection.recv(1) == b"H"  # the responses have started, also on a busy machine
        time.sleep(4.5)  # longer than the limits for idle connections and for answers
        assert bytes_until_the_end(at_once) < 50_000_000
        assert bytes_until_the_end(in_parts) < 50_000_000
    is_well(server)


def test_100_mb_of_any_input_leaves_memory_flat(server):
    is_well(server)
    before = server.peak_kb()
    megabytes, letters = [MEGABYTE] * 100, [b"a" * 1_000_000] * 100
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100000000\r\n\r\n")
        is_problem(answer_of(connection), 413)
        send_all(connection, megabytes)
    with server.connect() as connection:
        send_all(connection, [CHUNKED, *(b"%x\r\n%b\r\n" % (len(part), part) for part in megabytes)])
    for start, status in (
        (HEAD + b"X-Large: ", 431),
        (b"GET /", 431),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX-Trailer: ", 431),
        (CHUNKED + b"2;x=", 431),
    ):
        with server.connect() as connection:
            send_all(connection, [start, *letters])
            assert answer_of(connection)[0] in (status, None), start
    assert server.peak_kb() - before < 20_000
    is_well(server)


def test_a_body_of_many_one_byte_chunks_is_accepted(server):
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in GOOD.ljust(60_000))
    is_problem(server.ask(CHUNKED + chunks + b"0\r\n\r\n"), 404)


@pytest.mark.parametrize("depth", [1_000, 100_000, 500_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_deeply_nested_json_is_400_and_not_500(server, depth, brackets):
    body = (brackets[0] * depth)[:1_000_000]
    for document in (body, body[: len(body) // 2] + b"1" + brackets[1] * (len(body) // 2 // len(brackets[0]))):
        answer = server.ask(HEAD + b"Content-Length: %d\r\n\r\n" % len(document) + document)
        assert answer[0] in (400, 422)
        is_problem(answer, answer[0])


def test_behind_a_local_proxy_the_forwarded_address_is_the_client(server):
    ask = b"GET /docs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1, 192.0.2.%d\r\n\r\n"
    assert [server.ask(ask % 7)[0] for _ in range(4)] == [200, 200, 200, 429]
    assert server.ask(ask % 8)[0] == 200


@pytest.mark.parametrize(
    "data",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_malformed_http_is_400(server, data):
    is_problem(server.ask(data), 400)
