"""The record of alerts, which the service reads for the table of all tickers."""

from datetime import UTC, datetime, timedelta

import pytest

from zenith_core.names import ALERTS, ALL_TICKERS
from zenith_core.words import Text
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.alerts.record import record_alerts
from zenith_pipelines.datasets.store import Dataset, DatasetStore

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return DatasetStore(str(tmp_path))


def alert(kind, ticker=None):
    return Alert(kind, Text("alert.test", {}), {"ticker": ticker} if ticker else {})


def test_the_newest_moment_of_each_kind_is_kept_for_a_week(store):
    record_alerts([alert("refused", "AAPL"), alert("run_failed", "IBM")], store, NOW - timedelta(days=6))
    record_alerts([alert("run_failed", "AAPL")], store, NOW - timedelta(days=5))
    record_alerts([alert("run_failed", "AAPL")], store, NOW)
    assert store.facts(ALERTS, ALL_TICKERS) == {
        "AAPL": {"refused": "2026-11-24T12:00:00+00:00", "run_failed": "2026-11-30T12:00:00+00:00"},
        "IBM": {"run_failed": "2026-11-24T12:00:00+00:00"},
    }

    record_alerts([alert("retraining", "MSFT")], store, NOW + timedelta(days=1))
    assert {ticker: [*kinds] for ticker, kinds in store.facts(ALERTS, ALL_TICKERS).items()} == {
        "AAPL": ["run_failed"],
        "MSFT": ["retraining"],
    }


def test_an_alert_without_a_ticker_leaves_no_record(store):
    record_alerts([alert("disk_space")], store, NOW)

    assert not store.exists(ALERTS, ALL_TICKERS)


@pytest.mark.parametrize("facts", [{"AAPL": 1}, {"AAPL": {"refused": "yesterday"}}, {"AAPL": {"refused": None}}])
def test_a_record_that_cannot_be_read_begins_anew(store, facts):
    store.write(ALERTS, ALL_TICKERS, Dataset(facts=facts))

    record_alerts([alert("refused", "IBM")], store, NOW)

    assert store.facts(ALERTS, ALL_TICKERS) == {"IBM": {"refused": "2026-11-30T12:00:00+00:00"}}
