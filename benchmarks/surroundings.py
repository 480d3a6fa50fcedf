"""What a request costs without sockets: microseconds of each layer around a route, and of what a prediction adds.

.venv/bin/python benchmarks/surroundings.py

The least of many short rounds, in time of the processor, so that a busy machine counts little. Predictions are measured
if `make run` has trained the sample tickers in ZENITH_HOME.
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

from zenith_core.inference import forecast_prices
from zenith_serving.app import create_app
from zenith_serving.observability.logs import RequestLog
from zenith_serving.settings import Settings

FIGURES = ("request",)
REQUESTS, ROUNDS = 150, 60
BARE, HERE = "a constant FastAPI endpoint, nothing around it", "and with the rate limit, from this machine"
TICKER, PREFIX = "AAPL", "/api/v1/ml"
CONSTANT, PRICE = f"{PREFIX}/disclaimer", f"{PREFIX}/predict/price"


async def send(message):
    """Checks that the answer is the right one."""
    if message["type"] == "http.response.start":
        assert message["status"] == 200, message


def question(app, method=b"GET", path=CONSTANT, body=b"", client="127.0.0.1") -> Callable[[], Awaitable[None]]:
    """Asks the application as uvicorn would."""
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
    """What FastAPI itself takes."""
    app = FastAPI()

    @app.get(CONSTANT)
    async def disclaimer() -> dict[str, str]:
        return {"disclaimer": "x" * 200}

    return app


def layers(nowhere):
    """The same constant with more and more around it."""
    settings = Settings(zenith_home=Path(tempfile.mkdtemp()), zenith_rate_limit="100000000/minute")
    without = settings.model_copy(update={"zenith_rate_limit": "off"})
    limited = create_app(settings, RequestLog(settings, nowhere))
    return {
        BARE: question(constant_endpoint()),
        "ours, without log and limit": question(create_app(without)),
        "and with a line in the log": question(create_app(without, RequestLog(settings, nowhere))),
        HERE: question(limited),
        "and with the rate limit, from elsewhere": question(limited, client="8.8.8.8"),
    }


def predictions(nowhere):
    """Prices, all around them included, and the model alone; nothing if none is trained."""
    settings = Settings()
    if not (settings.snapshots / TICKER / "current.json").exists():
        return {}
    app = create_app(settings, RequestLog(settings, nowhere))
    predictor = app.state.predictor
    model = predictor.models.get("lstm", TICKER)
    snapshot = predictor.snapshots.get(TICKER)

    async def forecast():
        forecast_prices(model.run, snapshot)

    asked = {use: json.dumps({"ticker": TICKER, "use_cache": use}).encode() for use in (True, False)}
    return {
        "a cached price": question(app, b"POST", PRICE, asked[True]),
        "an uncached price": question(app, b"POST", PRICE, asked[False]),
        "of which ONNX Runtime on the LSTM": forecast,
    }


async def microseconds(ask):
    """Per request."""
    began = time.thread_time()
    for _ in range(REQUESTS):
        await ask()
    return 1e6 * (time.thread_time() - began) / REQUESTS


async def main():
    """Take turns, so that all cases meet the same machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_json(parser)
    asked = parser.parse_args()
    with Path("/dev/null").open("w") as nowhere:
        cases = layers(nowhere) | predictions(nowhere)
        rounds = [{name: await microseconds(ask) for name, ask in cases.items()} for _ in range(ROUNDS)]
    least = {name: min(each[name] for each in rounds) for name in cases}
    for name, took in least.items():
        sys.stdout.write(f"{took:7.1f} µs  {name}\n")
    report("surroundings", [Figure("request", least[HERE], least[BARE])], asked.json)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
