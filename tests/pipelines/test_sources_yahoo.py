"""The real yfinance client against a loopback server that answers as Yahoo's chart service does.

Each test asks for a ticker of its own: yfinance remembers time zones and past answers for the whole process.
"""

import json
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from zenith_core.errors import Delisted, NoNewData, RateLimited, SourceUnavailable, UnknownTicker
from zenith_pipelines.sources.yahoo import YahooSource

DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04"], tz="America/Sao_Paulo")
META = {
    "currency": "BRL",
    "symbol": "PETR4.SA",
    "exchangeName": "SAO",
    "instrumentType": "EQUITY",
    "firstTradeDate": 946900800,
    "gmtoffset": -10800,
    "timezone": "BRT",
    "exchangeTimezoneName": "America/Sao_Paulo",
    "priceHint": 2,
    "dataGranularity": "1d",
    "range": "",
    "validRanges": ["1d", "5d", "1mo", "max"],
    "regularMarketTime": 1704402000,
    "currentTradingPeriod": {
        name: {"timezone": "BRT", "start": 1704373200, "end": 1704402000, "gmtoffset": -10800}
        for name in ("pre", "regular", "post")
    },
}


def chart(last_close=38.5):
    opens = [int(day.timestamp()) + 10 * 3600 for day in DAYS]
    quote = {
        "open": [37.0, 37.5, None if last_close is None else 38.2],
        "high": [38.0, 38.5, None if last_close is None else 39.0],
        "low": [36.5, 37.0, None if last_close is None else 38.0],
        "close": [37.5, 38.0, last_close],
        "volume": [1000, 1100, None if last_close is None else 1200],
    }
    events = {
        "dividends": {str(opens[1]): {"amount": 0.5, "date": opens[1]}},
        "splits": {str(opens[2]): {"date": opens[2], "numerator": 2, "denominator": 1, "splitRatio": "2:1"}},
    }
    result = {
        "meta": META,
        "timestamp": opens,
        "events": events,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": [37.0, 38.0, last_close]}]},
    }
    return 200, json.dumps({"chart": {"result": [result], "error": None}})


def refusal(code, description):
    return json.dumps({"chart": {"result": None, "error": {"code": code, "description": description}}})


class Yahoo(ThreadingHTTPServer):
    """Answers the chart path with `probe` (the time-zone request) or `answer`; cookie and crumb as they come."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.probe = chart()
        self.answer = chart()
        self.asked = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/v8/finance/chart/"):
            self.server.asked.append(self.path)
            status, body = self.server.probe if "range=1d" in query else self.server.answer
        elif path.startswith("/v10/"):  # what yfinance asks when the probe named no time zone
            status, body = 404, json.dumps({"quoteSummary": {"result": None, "error": {"code": "Not Found"}}})
        else:
            status, body = 200, "crumb"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def own_cache(tmp_path):
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path))


@pytest.fixture
def yahoo():
    server = Yahoo()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def source(yahoo):
    from curl_cffi import requests

    class Loopback(requests.Session):
        def request(self, method, url, *args, **kwargs):
            path = url.split("/", 3)[-1]
            return super().request(method, f"http://127.0.0.1:{yahoo.server_port}/{path}", *args, **kwargs)

    with Loopback() as session:
        yield YahooSource(session=session)


def test_prices_come_unadjusted_with_their_actions(source, yahoo):
    raw = source.fetch("PETR4.SA")
    assert [f"{day:%Y-%m-%d}" for day in raw.prices.index] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert raw.prices["close"].tolist() == [37.5, 38.0, 38.5]
    assert raw.prices["adj_close"].tolist() == [37.0, 38.0, 38.5]
    assert raw.prices["dividends"].tolist() == [0.0, 0.5, 0.0]
    assert raw.prices["splits"].tolist() == [0.0, 0.0, 2.0]
    assert (raw.source, raw.currency) == ("yahoo", "BRL")
    assert raw.library.startswith("yfinance 1.")
    assert "/v8/finance/chart/PETR4.SA" in yahoo.asked[-1]


def test_a_later_fetch_asks_from_that_day_on(source, yahoo):
    source.fetch("VALE3.SA", since=date(2024, 1, 2))
    assert f"period1={int(DAYS[0].timestamp())}" in yahoo.asked[-1]


def test_a_last_bar_without_prices_is_not_made_up(source, yahoo):
    yahoo.answer = chart(last_close=None)
    prices = source.fetch("ITUB4.SA").prices
    assert prices["close"].dropna().tolist() == [37.5, 38.0]


@pytest.mark.parametrize(
    ("ticker", "status", "body", "error", "message"),
    [
        ("AAA3.SA", 429, "Edge: Too Many Requests", RateLimited, "HTTP 429"),
        ("BBB3.SA", 503, "<html>Service Unavailable</html>", SourceUnavailable, "could not be asked for BBB3.SA"),
        ("CCC3.SA", 200, "Will be right back", SourceUnavailable, "could not be asked"),
        ("DDD3.SA", 404, refusal("Not Found", "No data found, symbol may be delisted"), Delisted, "may be delisted"),
        ("EEE3.SA", 400, refusal("Bad Request", "Data doesn't exist for startDate = 1"), NoNewData, "doesn't exist"),
    ],
)
def test_failures_have_types(source, yahoo, ticker, status, body, error, message):
    yahoo.answer = (status, body)
    with pytest.raises(error, match=message):
        source.fetch(ticker)


def test_a_ticker_without_a_time_zone_is_unknown(source, yahoo):
    yahoo.probe = yahoo.answer = (404, refusal("Not Found", "No data found, symbol may be delisted"))
    with pytest.raises(UnknownTicker, match=r"yahoo does not know NOPE3\.SA"):
        source.fetch("NOPE3.SA")


def test_an_empty_history_is_no_new_data(source, yahoo):
    empty = {"meta": META, "indicators": {"quote": [{}], "adjclose": [{}]}}
    yahoo.answer = (200, json.dumps({"chart": {"result": [empty], "error": None}}))
    with pytest.raises(NoNewData, match=r"yahoo has no .* of ZZZ3\.SA"):
        source.fetch("ZZZ3.SA")


def test_a_machine_without_a_network_says_so():
    from curl_cffi import requests

    class Offline(requests.Session):
        def request(self, method, url, *args, **kwargs):
            return super().request(method, "http://127.0.0.1:1/", *args, **kwargs)

    with Offline() as session, pytest.raises(SourceUnavailable, match=r"could not be asked for OFF3\.SA"):
        YahooSource(session=session).fetch("OFF3.SA")


def test_only_what_may_pass_is_retryable():
    kinds = (RateLimited, SourceUnavailable, UnknownTicker, Delisted, NoNewData)
    assert [kind.retryable for kind in kinds] == [True, True, False, False, False]


def test_yahoo_lists_no_tickers():
    assert YahooSource().tickers() is None
