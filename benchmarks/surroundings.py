"""The cost of a request without sockets: microseconds of each layer around a route, and of a prediction in it.

.venv/bin/python benchmarks/surroundings.py

The least of many short rounds, in processor time, so that a busy machine counts little. Predictions are measured if
`make run` has trained the sample tickers in ZENITH_HOME.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI
from harness.figures import Figure, add_json, report

from zenith_serving.app import create_app
from zenith_serving.observability.logs import RequestLog
from zenith_serving.prediction.loaded_model import open_model
from zenith_serving.prediction.served_model import forecast_once
from zenith_serving.registry import open_registry
from zenith_serving.settings import Settings

FIGURES = ("request",)
REQUESTS, ROUNDS = 150, 60
BARE, HERE = "a constant FastAPI endpoint, nothing around it", "and with the rate limit, from this machine"
TICKER, PREFIX = "AAPL", "/api/v1/ml"
CONSTANT, PRICE = f"{PREFIX}/disclaimer", f"{PREFIX}/predict/price"


async def send(message):
    """Check the status of the response."""
    if message["type"] == "http.response.start":
        assert message["status"] == 200, message


def question(app, method=b"GET", path=CONSTANT, body=b"", client="127.0.0.1") -> Callable[[], Awaitable[None]]:
    """Return a call of the application as uvicorn makes it."""
    headers = [(b"host", b"127.0.0.1:8000"), (b"accept", b"*/*"), (b"content-length", str(len(body)).encode())]
    headers += [(b"content-type", b"application/json")] if body else []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method.decode(), "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
        "client": (client, 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    return lambda: app({**scope, "headers": list(headers), "state": {}}, receive, send)


def constant_endpoint():
    """Return an application with FastAPI's own work alone."""
    app = FastAPI()

    @app.get(CONSTANT)
    async def disclaimer() -> dict[str, str]:
        return {"disclaimer": "x" * 200}

    return app


def layers(nowhere):
    """Return calls of the same constant route in more and more layers."""
    settings = Settings(zenith_home=Path(tempfile.mkdtemp()), zenith_rate_limit="100000000/minute")
    without = settings.model_copy(update={"zenith_rate_limit": "off"})
    with_limit = create_app(settings, RequestLog(settings, nowhere))
    return {
        BARE: question(constant_endpoint()),
        "ours, without log and limit": question(create_app(without)),
        "and with a line in the log": question(create_app(without, RequestLog(settings, nowhere))),
        HERE: question(with_limit),
        "and with the rate limit, from elsewhere": question(with_limit, client="8.8.8.8"),
    }


def predictions(nowhere):
    """Return calls that predict a price, in all layers, and the model alone; nothing if no model is trained."""
    settings = Settings()
    if not (settings.snapshots / TICKER / "current.json").exists():
        return {}
    app = create_app(settings, RequestLog(settings, nowhere))
    predictor = app.state.predictor
    snapshot = predictor.snapshots.get(TICKER)
    version = predictor.models.get("lstm", snapshot).version
    onnx = open_registry(settings.tracking_uri).fetch(f"lstm-{TICKER}", version)

    async def compute():
        forecast_once(open_model(f"lstm-{TICKER}", version, onnx), snapshot)

    bodies = {use: json.dumps({"ticker": TICKER, "use_cache": use}).encode() for use in (True, False)}
    return {
        "a cached price": question(app, b"POST", PRICE, bodies[True]),
        "a price from the kept forecast": question(app, b"POST", PRICE, bodies[False]),
        "for comparison: open the LSTM and compute its forecast": compute,
    }


async def microseconds(ask):
    """Return the processor time of a request, in microseconds."""
    start = time.thread_time()
    for _ in range(REQUESTS):
        await ask()
    return 1e6 * (time.thread_time() - start) / REQUESTS


async def main():
    """Measure the cases in turn, so that all meet the same machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_json(parser)
    options = parser.parse_args()
    with Path("/dev/null").open("w") as nowhere:
        cases = layers(nowhere) | predictions(nowhere)
        rounds = [{name: await microseconds(ask) for name, ask in cases.items()} for _ in range(ROUNDS)]
    least = {name: min(each[name] for each in rounds) for name in cases}
    for name, took in least.items():
        sys.stdout.write(f"{took:7.1f} µs  {name}\n")
    report("surroundings", [Figure("request", least[HERE], least[BARE])], options.json)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
