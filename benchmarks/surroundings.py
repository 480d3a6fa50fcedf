"""What surrounds a route costs: microseconds per request, without sockets, of each layer around the same endpoint.

.venv/bin/python benchmarks/surroundings.py
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from fastapi import FastAPI
from figures import Figure, add_json, report

from zenith_serving.app import create_app
from zenith_serving.logs import RequestLog
from zenith_serving.settings import Settings

FIGURES = ("request",)
REQUESTS, ROUNDS = 2000, 7
CONSTANT, HERE = "a constant FastAPI endpoint, nothing around it", "and with the rate limit, from this machine"
PATH = "/api/v1/ml/disclaimer"


def scope_of(client):
    """A request for PATH, as uvicorn would hand it over."""
    headers = [(b"host", b"127.0.0.1:8000"), (b"accept", b"*/*"), (b"accept-encoding", b"gzip"), (b"user-agent", b"x")]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "root_path": "", "headers": list(headers),
        "client": (client, 1), "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip


async def receive():
    """No body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message):
    """Checks that the answer is the right one."""
    if message["type"] == "http.response.start":
        assert message["status"] == 200, message


async def microseconds(app, client="127.0.0.1"):
    """Per request."""
    began = time.perf_counter()
    for _ in range(REQUESTS):
        await app(scope_of(client), receive, send)
    return 1e6 * (time.perf_counter() - began) / REQUESTS


def constant_endpoint():
    """What FastAPI itself takes."""
    app = FastAPI()

    @app.get(PATH)
    async def disclaimer() -> dict[str, str]:
        return {"disclaimer": "x" * 200}

    return app


async def main():
    """Take turns, so that all cases meet the same machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_json(parser)
    asked = parser.parse_args()
    settings = Settings(zenith_home=Path(tempfile.mkdtemp()), zenith_rate_limit="100000000/minute")
    without = settings.model_copy(update={"zenith_rate_limit": "off"})
    with Path("/dev/null").open("w") as nowhere:
        cases = {
            CONSTANT: (constant_endpoint(), "127.0.0.1"),
            "ours, without log and limit": (create_app(without), "127.0.0.1"),
            "and with a line in the log": (create_app(without, RequestLog(settings, nowhere)), "127.0.0.1"),
            HERE: (create_app(settings, RequestLog(settings, nowhere)), "127.0.0.1"),
            "and with the rate limit, from elsewhere": (create_app(settings, RequestLog(settings, nowhere)), "8.8.8.8"),
        }  # fmt: skip
        rounds = [{name: await microseconds(*case) for name, case in cases.items()} for _ in range(ROUNDS)]
    median = {name: statistics.median(each[name] for each in rounds) for name in cases}
    for name, took in median.items():
        print(f"{took:7.1f} µs  {name}")
    report("surroundings", [Figure("request", median[HERE], median[CONSTANT])], asked.json)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
