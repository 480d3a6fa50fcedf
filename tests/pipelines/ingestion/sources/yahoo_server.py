"""A loopback server that imitates Yahoo's chart service, and a session that sends yfinance to it."""

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Sao_Paulo")
NOT_FOUND = "No data found, symbol may be delisted"


@dataclass(frozen=True)
class Bar:
    """One daily bar; a close of None is a bar of nulls, as in Yahoo's sessions without prices."""

    day: str
    close: float | None
    dividend: float = 0.0
    split: tuple[int, int] | None = None
    clock: time = time(10)

    @property
    def stamp(self) -> int:
        return at(self.day, self.clock)


def at(day: str, clock: time = time(10)) -> int:
    return int(datetime.combine(date.fromisoformat(day), clock, ZONE).timestamp())


def meta(last_trade="2024-01-04", exchange="SAO"):
    return {
        "currency": "BRL",
        "exchangeName": exchange,
        "instrumentType": "EQUITY",
        "firstTradeDate": at("2000-01-03"),
        "regularMarketTime": at(last_trade, time(18)),
        "gmtoffset": -10800,
        "timezone": "BRT",
        "exchangeTimezoneName": "America/Sao_Paulo",
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"],
    }


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


def chart(*bars, adjusted=None, **about):
    """Return a response with these bars; `adjusted`: the adjusted closes, if they differ."""
    closes = [bar.close for bar in bars]
    quote = {
        "open": [close and close - 0.5 for close in closes],
        "high": [close and close + 1.0 for close in closes],
        "low": [close and close - 1.0 for close in closes],
        "close": closes,
        "volume": [close and 1000 for close in closes],
    }
    dividends = {str(bar.stamp): {"amount": bar.dividend, "date": bar.stamp} for bar in bars if bar.dividend}
    splits = {
        str(bar.stamp): {"date": bar.stamp, "numerator": bar.split[0], "denominator": bar.split[1]}
        for bar in bars
        if bar.split
    }
    result = {
        "meta": meta(**about),
        "timestamp": [bar.stamp for bar in bars],
        "events": {"dividends": dividends, "splits": splits},
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": adjusted or closes}]},
    }
    return _answer(200, result=[result])


def empty(**about):
    """Return a response that describes a ticker without prices."""
    return _answer(200, result=[{"meta": meta(**about), "indicators": {"quote": [{}], "adjclose": [{}]}}])


def refusal(status, code="Not Found", description=NOT_FOUND):
    return _answer(status, error={"code": code, "description": description})


def limited(retry_after=None):
    return Answer(429, "Edge: Too Many Requests\r\n", {"Retry-After": retry_after} if retry_after else {})


def _answer(status, result=None, error=None):
    return Answer(status, json.dumps({"chart": {"result": result, "error": error}}))


class Yahoo(ThreadingHTTPServer):
    """Answer time zone probes with `probe`, and price requests with `answers` in turn, repeating the last.

    `crumb` answers the requests for cookies and crumbs. `requests` lists the requests for charts, `others` the rest.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.probe = empty()
        self.answers = [chart(Bar("2024-01-04", 38.5))]
        self.crumb = Answer(200, "crumb")
        self.requests = []
        self.others = []

    @property
    def price_requests(self):
        return [path for path in self.requests if "range=1d" not in path]

    def reply(self, path):
        if not path.startswith("/v8/finance/chart/"):
            self.others.append(path)
            return self.crumb
        self.requests.append(path)
        if "range=1d" in path:
            return self.probe
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = self.server.reply(self.path)
        sleep(answer.delay)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # the client may have timed out
            self.wfile.write(answer.body.encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


@contextmanager
def running():
    server = Yahoo()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def loopback_session(port):
    """Return a session of yfinance's own kind that sends every request to the loopback server."""
    from curl_cffi import requests

    class Loopback(requests.Session):
        def request(self, method, url, *args, **kwargs):
            return super().request(method, f"http://127.0.0.1:{port}/{url.split('/', 3)[-1]}", *args, **kwargs)

    return Loopback(impersonate="chrome")
