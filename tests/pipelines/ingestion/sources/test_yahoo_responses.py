"""Interpreting any response of Yahoo's chart service."""

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenith_core.errors import RateLimited, SourceError, SourceUnavailable
from zenith_pipelines.ingestion.sources.retries import retry_after
from zenith_pipelines.ingestion.sources.yahoo_responses import ChartResponses

NOW = datetime(2024, 1, 5, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["result", "error", "meta", "code"]), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Fri, 05 Jan 2024 12:01:30 GMT", 90.0),
        ("Fri, 05 Jan 2024 11:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("1e9", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after(header, NOW) == seconds


@pytest.mark.slow
@given(st.text())
def test_any_retry_after_is_a_finite_wait(header):
    assert 0 <= retry_after(header, NOW) < float("inf")


@pytest.mark.slow
@given(
    status=st.sampled_from([200, 400, 401, 403, 404, 422]), chart=JSON, since=st.sampled_from([None, date(2024, 1, 3)])
)
def test_any_response_raises_a_source_error_or_nothing(status, chart, since):
    responses = ChartResponses("AAPL", since, NOW)
    try:
        responses.read(SimpleNamespace(status_code=status, headers={}, text=json.dumps({"chart": chart})))
    except SourceError as error:
        assert not error.retryable
        assert len(str(error)) < 400
    responses.why_delisted()


@pytest.mark.slow
@given(chart=JSON)
@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (500, SourceUnavailable), (503, SourceUnavailable)])
def test_the_status_decides_the_kind_of_a_temporary_error(status, kind, chart):
    response = SimpleNamespace(status_code=status, headers={"Retry-After": "9"}, text=json.dumps({"chart": chart}))
    responses = ChartResponses("AAPL", None, NOW)
    with pytest.raises(kind):
        responses.read(response)
    assert responses.retry_after == 9.0
    responses.begin()
    assert responses.retry_after == 0.0


def test_yfinance_retries_a_refused_cookie_before_it_means_unavailable():
    responses = ChartResponses("AAPL", None, NOW)
    responses.read(SimpleNamespace(status_code=401, headers={}, text="{}"))
    error = responses.failure(KeyError("chart"))
    assert (type(error), str(error)) == (SourceUnavailable, "yahoo refuses requests for AAPL (HTTP 401)")


@pytest.mark.parametrize(
    ("meta", "is_delisted"),
    [
        ({}, False),
        ({"regularMarketTime": None}, False),
        ({"regularMarketTime": int(datetime(2023, 12, 1, tzinfo=UTC).timestamp())}, False),
        ({"regularMarketTime": int(datetime(2023, 10, 1, tzinfo=UTC).timestamp())}, True),
        ({"exchangeName": "YHD"}, True),
    ],
)
def test_a_ticker_without_a_trade_for_sixty_days_is_delisted(meta, is_delisted):
    assert bool(ChartResponses("AAPL", None, NOW, meta=meta).why_delisted()) is is_delisted
