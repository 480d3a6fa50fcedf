"""The source of CSV tables over HTTP against a loopback server: forms of vendors, and each way to fail in one line."""

import json
import threading
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from zenith_core.errors import (
    InvalidPrices,
    InvalidTicker,
    NoNewData,
    RateLimited,
    SourceError,
    SourceUnavailable,
    UnknownTicker,
    UserError,
)
from zenith_pipelines.defs.assets.prices import FetchConfig
from zenith_pipelines.ingestion.sources import make_source
from zenith_pipelines.ingestion.sources.http_csv import HttpCsvSource
from zenith_pipelines.ingestion.sources.retries import RetryPolicy
from zenith_pipelines.settings import Settings

KEY = "s3cret/key"
STOOQ = "Date,Open,High,Low,Close,Volume\n" + "".join(f"2024-01-0{d},10,12,9.5,1{d}.25,1000\n" for d in (2, 3, 4, 5))
STOOQ_POLISH = "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen\n" + STOOQ.partition("\n")[2]
ALPHA_VANTAGE = "timestamp,open,high,low,close,volume\r\n" + "".join(
    f"2024-01-0{d},10,12,9.5,1{d}.25,1000\r\n" for d in (5, 4, 3, 2)
)
LIMIT = f"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day."


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        answers = self.server.answers
        status, body, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def shared_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server(shared_server):
    shared_server.requests, shared_server.answers = [], [(200, STOOQ, {})]
    return shared_server


@pytest.fixture
def sleeps():
    return []


@pytest.fixture
def source(server, sleeps):
    return make(server, sleeps=sleeps)


def make(server, path="/csv?s={ticker}&apikey={key}", sleeps=None, **options):
    url = SecretStr(f"http://127.0.0.1:{server.server_port}{path}")
    return HttpCsvSource(url, SecretStr(KEY), sleep=(sleeps if sleeps is not None else []).append, **options)


@pytest.mark.parametrize("body", [STOOQ, STOOQ_POLISH, ALPHA_VANTAGE, STOOQ.replace(",", ";")], ids=str)
def test_the_forms_of_vendors_are_read_as_in_a_file(source, server, body):
    server.answers = [(200, body, {})]
    raw = source.fetch("AAPL")
    assert raw.prices["close"].sort_index().tolist() == [12.25, 13.25, 14.25, 15.25]
    assert (raw.source, raw.folder, raw.prices["volume"].sum()) == ("http", None, 4000.0)
    assert server.requests == ["/csv?s=AAPL&apikey=s3cret%2Fkey"]


def test_the_places_of_the_address_are_filled(server):
    source = make(server, "/{symbol}/{ticker}/{since:%Y%m%d}")
    source.fetch("PETR4.SA", date(2024, 1, 3))
    source.fetch("^BVSP")
    assert server.requests == ["/PETR4/PETR4.SA/20240103", "/%5EBVSP/%5EBVSP/19000101"]


def test_an_increment_has_the_sessions_since_its_first_day(source):
    assert len(source.fetch("AAPL", date(2024, 1, 4)).prices) == 2


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (404, "", UnknownTicker, "HTTP 404: it does not know AAPL"),
        (410, "", UnknownTicker, "HTTP 410: it does not know AAPL"),
        (401, "", SourceError, "HTTP 401, refused: see ZENITH_PRICE_KEY"),
        (400, "", SourceError, "HTTP 400"),
        (200, "", InvalidPrices, "it is empty"),
        (200, "<!DOCTYPE html><p>Hello", InvalidPrices, "it is a web page; expected the table itself"),
        (200, "No data\n", SourceError, "is a message, not a table: No data"),
        (200, "Exceeded the daily hits limit", SourceError, "is a message, not a table: Exceeded the daily hits limit"),
        (200, json.dumps({"Information": LIMIT}), SourceError, 'a message, not a table: {"Information": "We have'),
        (200, "Date,Open,High,Low,Close,Volume\n", NoNewData, "has no rows"),
        (200, "Date,Open,High\n2024-01-02,1,2\n", InvalidPrices, "has no column low, close, volume"),
        (200, STOOQ.replace("12.25", "twelve"), InvalidPrices, ", line 2, column close: 'twelve' is not a number"),
        (200, "symbol," + STOOQ.replace("\n2", "\nMSFT,2"), InvalidPrices, "it has prices of MSFT"),
        (200, b"PK\x03\x04 and so on", InvalidPrices, "it is a zip archive"),
    ],
)
def test_an_answer_without_prices_is_one_line_without_the_key(source, server, sleeps, status, body, error, message):
    server.answers = [(status, body, {})]
    with pytest.raises(error) as refusal:
        source.fetch("AAPL")
    line = str(refusal.value)
    assert type(refusal.value) is error
    assert message in line
    assert line.startswith("the answer of 127.0.0.1 for AAPL")
    assert not {"\n", "zenith-http", KEY, "s3cret"} & {
        part for part in ("\n", "zenith-http", KEY, "s3cret") if part in line
    }
    assert (len(server.requests), sleeps) == (1, [])


def test_after_a_429_the_fetch_waits_as_long_as_retry_after_says(source, server, sleeps):
    server.answers = [(429, "", {"Retry-After": "30"}), (503, "", {}), (200, STOOQ, {})]
    assert len(source.fetch("AAPL").prices) == 4
    assert (len(server.requests), len(sleeps)) == (3, 2)
    assert sleeps[0] >= 30 > sleeps[1]


def test_a_lasting_429_and_a_lasting_error_end_after_the_attempts(source, server):
    server.answers = [(429, "", {})]
    with pytest.raises(RateLimited, match=r"for AAPL: HTTP 429, too many requests: retry later$"):
        source.fetch("AAPL")
    server.answers = [(500, "", {})]
    with pytest.raises(SourceUnavailable, match="^the answer of 127.0.0.1 for AAPL: HTTP 500$"):
        source.fetch("AAPL")


def test_a_redirect_is_not_followed_because_the_key_would_be_too(source, server):
    server.answers = [(302, "", {"Location": f"https://elsewhere.example/?apikey={KEY}"})]
    with pytest.raises(SourceError, match="HTTP 302, a redirect to elsewhere.example: ZENITH_PRICE_URL must name"):
        source.fetch("AAPL")
    assert len(server.requests) == 1


def test_an_answer_above_the_size_bound_is_not_read_to_its_end(server):
    source = make(server, largest=100)
    with pytest.raises(InvalidPrices, match="for AAPL: more than 0.0001 MB$"):
        source.fetch("AAPL")


def test_an_unreachable_server_is_unavailable(server, sleeps):
    policy = RetryPolicy(tries=2)
    source = HttpCsvSource(SecretStr("http://127.0.0.1:1/{ticker}"), retry_policy=policy, sleep=sleeps.append)
    with pytest.raises(SourceUnavailable, match=r"^the answer of 127.0.0.1 for AAPL: .*refused"):
        source.fetch("AAPL")
    assert len(sleeps) == 1


@contextmanager
def silent_server():
    """Accept connections and never answer."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_that_does_not_answer_in_time_is_unavailable():
    with silent_server() as port:
        policy = RetryPolicy(tries=1, timeout=0.05)
        source = HttpCsvSource(SecretStr(f"http://127.0.0.1:{port}/{{ticker}}"), retry_policy=policy)
        with pytest.raises(SourceUnavailable, match=r"no answer within 0\.05 s$"):
            source.fetch("AAPL")


def test_no_ticker_reaches_the_address_unchecked(source, server):
    with pytest.raises(InvalidTicker):
        source.fetch("A/../B")
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/{ticker}",
        "https://host/",
        "https:///{ticker}",
        "https://host/{ticker}?key={password}",
        "https://host/{ticker.__class__}",
        "https://host/{ticker",
        "https://host:port/{ticker}",
        "{ticker}",
    ],
)
def test_a_wrong_address_is_refused_without_repeating_it(tmp_path, url):
    with pytest.raises(UserError) as refusal:
        Settings(zenith_home=tmp_path, zenith_price_url=url)
    assert str(refusal.value) == (
        "ZENITH_PRICE_URL is not valid: it must look like https://host/path?s={ticker}; "
        "{symbol}, {since} and {key} may stand in it, nothing else"
    )


def test_without_an_address_or_its_key_the_source_says_so(tmp_path):
    with pytest.raises(UserError, match="^the http source needs ZENITH_PRICE_URL"):
        make_source("http", settings=Settings(zenith_home=tmp_path, zenith_price_url=None))
    keyless = Settings(zenith_home=tmp_path, zenith_price_url="https://host/{ticker}?k={key}", zenith_price_key=None)
    with pytest.raises(UserError, match="^ZENITH_PRICE_URL has {key}, but ZENITH_PRICE_KEY is not set$"):
        make_source("http", settings=keyless)


def test_run_config_names_no_address():
    assert set(FetchConfig.model_fields) == {"source", "csv_dir", "as_of", "archive"}
