"""The real yfinance client against a loopback server: results and errors."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time

import pandas as pd
import pytest

from tests.pipelines.ingestion.sources.yahoo_server import (
    Answer,
    Bar,
    at,
    chart,
    empty,
    limited,
    loopback_session,
    refusal,
    running,
)
from zenith_core.errors import Delisted, NoNewData, RateLimited, SourceUnavailable, UnknownTicker
from zenith_core.prices.cleaning import clean_prices
from zenith_pipelines.ingestion.sources.defaults import default_tickers
from zenith_pipelines.ingestion.sources.retries import RetryPolicy
from zenith_pipelines.ingestion.sources.yahoo import YahooSource

NOW = datetime(2024, 1, 5, 12, tzinfo=UTC)
BARS = (
    Bar("2024-01-02", 37.5),
    Bar("2024-01-03", 38.0, dividend=0.5),
    Bar("2024-01-04", 38.5, split=(2, 1)),
)
SINCE = date(2024, 1, 3)


@pytest.fixture
def yahoo():
    with running() as server:
        server.answers = [chart(*BARS, adjusted=[37.0, 38.0, 38.5])]
        yield server


@pytest.fixture
def sleeps():
    return []


@pytest.fixture
def source(yahoo, sleeps):
    with loopback_session(yahoo.server_port) as session:
        yield YahooSource(session, sleep=sleeps.append, clock=lambda: NOW)


def days(raw):
    return [f"{day:%Y-%m-%d}" for day in raw.prices.index]


def test_a_first_fetch_brings_all_sessions_unadjusted_with_their_actions(source, yahoo):
    raw = source.fetch("PETR4.SA")
    assert days(raw) == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert raw.prices.index.tz is None
    assert raw.prices["close"].tolist() == [37.5, 38.0, 38.5]
    assert raw.prices["adj_close"].tolist() == [37.0, 38.0, 38.5]
    assert raw.prices["volume"].tolist() == [1000.0, 1000.0, 1000.0]
    assert raw.prices["dividends"].tolist() == [0.0, 0.5, 0.0]
    assert raw.prices["splits"].tolist() == [0.0, 0.0, 2.0]
    assert (raw.source, raw.currency, raw.fetched_at) == ("yahoo", "BRL", NOW)
    assert raw.listing == {"exchange": "SAO", "instrument": "equity"}
    assert raw.library.startswith("yfinance 1.")
    [request] = yahoo.price_requests
    assert request.startswith("/v8/finance/chart/PETR4.SA?period1=-")  # 99 years back: all there is
    assert "events=div%2Csplits" in request


def test_a_currency_pair_is_requested_as_yahoo_writes_it(source, yahoo):
    source.fetch("EURUSD")
    assert yahoo.price_requests[0].startswith("/v8/finance/chart/EURUSD=X?")


def test_an_increment_requests_prices_from_its_first_day_on(source, yahoo):
    yahoo.answers = [chart(*BARS[1:])]
    assert days(source.fetch("PETR4.SA", since=SINCE)) == ["2024-01-03", "2024-01-04"]
    assert f"period1={at('2024-01-03', time(0))}&" in yahoo.price_requests[0]


def test_a_split_between_two_fetches_shows_as_a_restated_past_and_an_action(source, yahoo):
    yahoo.answers = [
        chart(Bar("2024-01-02", 36.0), Bar("2024-01-03", 38.0)),
        chart(Bar("2024-01-03", 19.0), Bar("2024-01-04", 19.5, split=(2, 1))),
    ]
    first = source.fetch("PETR4.SA").prices
    second = source.fetch("PETR4.SA", since=SINCE).prices
    overlap = second.index.intersection(first.index)
    assert (first["close"][overlap] / second["close"][overlap]).tolist() == [2.0]
    assert second["splits"].tolist() == [0.0, 2.0]


def test_a_squeeze_before_a_real_split_is_fetched_as_it_was_traded(source, yahoo):
    days_before = pd.bdate_range(end="2021-01-12", periods=60)
    squeeze = [10.0] * 57 + [7.8, 9.9, 8.8, 9.8, 9.8, 10.8, 16.3, 19.2, 37.0, 86.9, 48.4, 81.3, 56.3, 22.5, 23.1]
    sessions = days_before.append(pd.bdate_range("2021-01-13", periods=len(squeeze) - 60))
    later = [Bar("2022-07-21", 38.0), Bar("2022-07-22", 36.0, split=(4, 1)), Bar("2024-01-04", 17.0)]
    yahoo.answers = [chart(*(Bar(f"{d:%Y-%m-%d}", c) for d, c in zip(sessions, squeeze, strict=True)), *later)]
    prices = source.fetch("GME").prices
    assert prices["close"].tolist() == [*squeeze, 38.0, 36.0, 17.0]
    assert prices["splits"].sum() == 4.0


def test_a_last_bar_without_prices_stays_and_cleaning_quarantines_it(source, yahoo):
    yahoo.answers = [chart(*BARS[:2], Bar("2024-01-04", None))]
    raw = source.fetch("PETR4.SA")
    assert days(raw)[-1] == "2024-01-04"
    assert raw.prices[["open", "high", "low", "close"]].iloc[-1].isna().all()
    cleaned = clean_prices(raw.prices, "PETR4.SA", now=raw.fetched_at)
    assert [f"{day:%Y-%m-%d}" for day in cleaned.prices.index] == ["2024-01-02", "2024-01-03"]
    assert [f"{day:%Y-%m-%d}" for day in cleaned.quarantine.index] == ["2024-01-04"]


def test_the_old_bars_of_yahoo_without_an_open_are_prices(source, yahoo):
    answer = chart(*BARS)
    yahoo.answers = [replace(answer, body=re.sub(r'"open": \[[^,]*, [^,]*', '"open": [0.0, 0.0', answer.body))]
    raw = source.fetch("PETR4.SA")
    assert raw.prices["open"].tolist()[:2] == [0.0, 0.0]
    cleaned = clean_prices(raw.prices, "PETR4.SA", now=raw.fetched_at)
    assert len(cleaned.quarantine) == 0
    assert cleaned.counts["opens_filled"] == 2


def test_the_bar_of_an_open_session_stays_and_cleaning_drops_it(yahoo, sleeps):
    yahoo.answers = [chart(*BARS[:2], Bar("2024-01-04", 38.4, clock=time(15, 32)))]
    in_session = datetime(2024, 1, 4, 18, 32, tzinfo=UTC)
    with loopback_session(yahoo.server_port) as session:
        raw = YahooSource(session, sleep=sleeps.append, clock=lambda: in_session).fetch("PETR4.SA")
    assert raw.prices["close"].iloc[-1] == 38.4
    cleaned = clean_prices(raw.prices, "PETR4.SA", now=raw.fetched_at)
    assert cleaned.prices.index[-1] == pd.Timestamp("2024-01-03")
    assert cleaned.quarantine["reason"].tolist() == ["session not finished"]


def test_after_a_429_the_fetch_waits_as_long_as_retry_after_says(source, yahoo, sleeps):
    yahoo.answers = [limited("30"), chart(*BARS)]
    assert len(source.fetch("PETR4.SA").prices) == 3
    assert len(yahoo.price_requests) == 2
    assert len(sleeps) == 1
    assert 30 + 1 <= sleeps[0] <= 30 + 2


def test_a_permanent_429_ends_after_five_attempts_with_growing_waits(source, yahoo, sleeps):
    yahoo.answers = [limited()]
    with pytest.raises(RateLimited, match=r"HTTP 429.*PETR4\.SA"):
        source.fetch("PETR4.SA")
    assert len(yahoo.price_requests) == 5
    ceilings = [2.0, 4.0, 8.0, 16.0]
    assert all(top / 2 <= wait <= top for wait, top in zip(sleeps, ceilings, strict=True))


def test_a_retry_after_beyond_the_total_wait_ends_the_fetch_at_once(source, yahoo, sleeps):
    yahoo.answers = [limited("3600")]
    with pytest.raises(RateLimited, match="retry .* in 3600 s"):
        source.fetch("PETR4.SA")
    assert (len(yahoo.price_requests), sleeps) == (1, [])


def test_the_sum_of_all_waits_is_bounded(yahoo, sleeps):
    yahoo.answers = [limited("40")]
    with loopback_session(yahoo.server_port) as session, pytest.raises(RateLimited):
        YahooSource(session, RetryPolicy(tries=100, total_wait=100), sleeps.append, lambda: NOW).fetch("PETR4.SA")
    assert len(sleeps) == 2
    assert sum(sleeps) <= 100


def test_a_refused_probe_is_retried_too(source, yahoo, sleeps):
    yahoo.probe = limited("7")
    with pytest.raises(RateLimited):
        source.fetch("PETR4.SA")
    assert (len(yahoo.requests), yahoo.price_requests, len(sleeps)) == (5, [], 4)
    assert min(sleeps) > 7


def test_a_server_error_is_retried(source, yahoo, sleeps):
    yahoo.answers = [Answer(503, "<html>down</html>", {"Retry-After": "5"}), refusal(500, "Internal"), chart(*BARS)]
    assert len(source.fetch("PETR4.SA").prices) == 3
    assert len(sleeps) == 2
    assert sleeps[0] > 5


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(503, "<html>Service Unavailable</html>"), "HTTP 503"),
        (refusal(502, "Bad Gateway", "no route"), "HTTP 502"),
        (Answer(200, "Will be right back"), "is unreadable: YFDataException"),
        (Answer(200, '{"chart": {"result"'), "is unreadable: JSONDecodeError"),
        (Answer(200, '{"chart": {"result"', {"Content-Length": "1000"}), "request for PETR4.SA failed: .*bytes"),
        (Answer(401, '{"finance": {"error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}'), "HTTP 401"),
    ],
)
def test_a_server_that_does_not_recover_is_unavailable(source, yahoo, sleeps, answer, message):
    yahoo.answers = [answer]
    with pytest.raises(SourceUnavailable, match=message):
        source.fetch("PETR4.SA")
    assert len(sleeps) == 4


def test_a_server_that_hangs_times_out(yahoo, sleeps):
    yahoo.answers = [Answer(200, "", delay=0.3)]
    with loopback_session(yahoo.server_port) as session, pytest.raises(SourceUnavailable, match="Timeout"):
        YahooSource(session, RetryPolicy(tries=2, timeout=0.05), sleeps.append).fetch("PETR4.SA")
    assert len(sleeps) == 1


def test_without_a_network_the_fetch_is_unavailable_after_all_attempts(sleeps):
    with running() as server:
        port = server.server_port
    with loopback_session(port) as session, pytest.raises(SourceUnavailable, match=r"request for PETR4\.SA failed"):
        YahooSource(session, sleep=sleeps.append).fetch("PETR4.SA")
    assert len(sleeps) == 4


@pytest.mark.parametrize(
    ("probe", "answer", "since", "error", "message"),
    [
        (refusal(404), refusal(404), None, UnknownTicker, r"does not know PETR4\.SA: unknown, or delisted"),
        (empty(), refusal(404), None, Delisted, "knows PETR4.SA but has no prices"),
        (refusal(404), refusal(404), SINCE, Delisted, "had sessions before 2024-01-03"),
        (empty(), refusal(200), None, Delisted, "may be delisted"),
        (empty(), empty(), None, NoNewData, r"no prices of PETR4\.SA: no sessions"),
        (empty(), empty(), SINCE, NoNewData, r"no prices of PETR4\.SA since 2024-01-03"),
        (empty(), refusal(400, "Bad Request", "Data doesn't exist"), SINCE, NoNewData, "Data doesn't exist"),
        (empty(exchange="YHD"), empty(exchange="YHD"), None, Delisted, "last traded on 2024-01-04"),
        (empty(), empty(last_trade="2019-06-28"), None, Delisted, "last traded on 2019-06-28"),
        (empty(last_trade="2019-06-28"), refusal(400, "Bad Request", "none"), SINCE, Delisted, "2019-06-28"),
        (empty(), chart(*BARS, last_trade="2019-06-28"), SINCE, Delisted, "last traded on 2019-06-28"),
    ],
)
def test_a_permanent_error_is_not_retried(source, yahoo, sleeps, probe, answer, since, error, message):
    yahoo.probe, yahoo.answers = probe, [answer]
    with pytest.raises(error, match=message):
        source.fetch("PETR4.SA", since=since)
    assert sleeps == []


def test_the_history_of_a_delisted_ticker_can_still_be_fetched_whole(source, yahoo):
    yahoo.answers = [chart(*BARS, last_trade="2019-06-28")]
    assert len(source.fetch("PETR4.SA").prices) == 3


def test_an_earlier_404_is_not_cached(source, yahoo):
    yahoo.probe = refusal(404)
    with pytest.raises(UnknownTicker):
        source.fetch("NOVO3.SA")
    yahoo.probe = empty()
    assert len(source.fetch("NOVO3.SA").prices) == 3


def test_prices_are_fetched_without_a_crumb_too(source, yahoo):
    from yfinance.data import YfData

    data = YfData()
    data._crumb = data._cookie = None  # else the one from an earlier fetch of this process is used
    yahoo.crumb = limited()
    assert len(source.fetch("PETR4.SA").prices) == 3
    assert any("getcrumb" in path for path in yahoo.others)
    data._crumb = None


@pytest.mark.slow
def test_two_threads_do_not_get_each_others_answers():
    def fetch(close):
        with running() as server, loopback_session(server.server_port) as session:
            server.answers = [chart(Bar("2024-01-04", close))]
            source = YahooSource(session, RetryPolicy(tries=1), clock=lambda: NOW)
            return {source.fetch("PETR4.SA").prices["close"].iloc[0] for _ in range(5)}

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(fetch, [10.0, 20.0])) == [{10.0}, {20.0}]


def test_an_isin_is_refused_without_a_request(source, yahoo):
    with pytest.raises(UnknownTicker, match="US0378331005 is an ISIN"):
        source.fetch("US0378331005")
    assert (yahoo.requests, yahoo.others) == ([], [])


def test_nothing_is_written_to_the_users_cache_folder(source):
    from yfinance.cache import _CookieDBManager, _TzDBManager

    source.fetch("PETR4.SA")
    assert (_TzDBManager._db, _CookieDBManager._db) == (None, None)


def test_the_session_is_restored_after_a_fetch(yahoo, sleeps):
    with loopback_session(yahoo.server_port) as session:
        YahooSource(session, sleep=sleeps.append, clock=lambda: NOW).fetch("PETR4.SA")
        assert "request" not in vars(session)


def test_only_temporary_errors_are_retryable():
    kinds = (RateLimited, SourceUnavailable, UnknownTicker, Delisted, NoNewData)
    assert [kind.retryable for kind in kinds] == [True, True, False, False, False]


def test_the_default_tickers_are_brazils_largest():
    assert default_tickers(YahooSource()) == ("PETR4.SA", "VALE3.SA", "ITUB4.SA")


def test_yahoo_lists_no_tickers():
    assert YahooSource().tickers() is None


class Pace:
    """A pace that notes what it is asked, and answers with `seconds`."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.calls = []

    def wait(self, longest):
        self.calls.append("wait")
        return self.seconds

    def pause(self, seconds):
        self.calls.append(seconds)


def test_each_request_keeps_the_pace_and_a_refusal_pauses_it(yahoo, sleeps):
    yahoo.answers = [limited("30"), chart(*BARS)]
    pace = Pace()
    with loopback_session(yahoo.server_port) as session:
        YahooSource(session, sleep=sleeps.append, clock=lambda: NOW, pace=pace).fetch("PETR4.SA")
    assert pace.calls.count("wait") == len(yahoo.requests)
    assert [call for call in pace.calls if call != "wait"] == [30.0]


def test_a_pause_that_another_process_began_ends_the_fetch_without_a_request(yahoo, sleeps):
    pace = Pace(seconds=900)
    with loopback_session(yahoo.server_port) as session, pytest.raises(RateLimited) as refusal:
        YahooSource(session, sleep=sleeps.append, clock=lambda: NOW, pace=pace).fetch("PETR4.SA")
    assert str(refusal.value) == "yahoo has asked for a pause: retry PETR4.SA in 900 s"
    assert (yahoo.requests, sleeps, pace.calls) == ([], [], ["wait"])
