"""Repeated fetches of a source whose data change in between."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zenith_core.errors import Delisted, NoNewData, RateLimited, SourceUnavailable, UnknownTicker
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_core.prices.cleaning import data_version
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.ingestion.fetch import (
    OVERLAP,
    clean_snapshot,
    fetch_and_record_delisting,
    fetch_next,
    fetch_snapshot,
    last_snapshot,
)
from zenith_pipelines.ingestion.sources.base import RAW_PRICES, RawPrices, raw_table, since_date

SESSIONS = sessions_between(exchange_of("AAPL"), date(2024, 1, 2), date(2024, 6, 28))
EVENING = timedelta(hours=23)  # UTC: New York has closed


def history(sessions=60):
    days = SESSIONS[:sessions]
    close = np.round(100 + np.sin(np.arange(len(days))), 2)
    table = pd.DataFrame({"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 1000.0}, days)
    return raw_table(table.assign(adj_close=close))


class Source:
    """Return `prices`, by default on the evening of their last session; record the requests."""

    def __init__(self, prices, name="remote", tickers=None):
        self.name, self.prices, self.error, self.at = name, prices, None, None
        self.requests, self._tickers = [], tickers

    def fetch(self, ticker, since=None):
        self.requests.append(since)
        if self.error:
            raise self.error
        return RawPrices(since_date(self.prices, since), self.name, "remote 1.0", self.now, "USD")

    @property
    def now(self):
        return self.at or (self.prices.index.max() + EVENING).to_pydatetime().replace(tzinfo=UTC)

    def tickers(self):
        return self._tickers


@pytest.fixture
def store(tmp_path):
    return DatasetStore(str(tmp_path))


def fetch_and_store(store, source):
    fetch = fetch_next(store, source, "AAPL", now=source.now)
    if fetch.is_new:
        store.write(RAW_PRICES, "AAPL", fetch.snapshot, keep_history=True)
    return fetch


def counts(fetch):
    return {kind: count for kind, count in fetch.changes.counts.items() if count}


def test_the_first_fetch_takes_the_whole_history_and_records_its_source():
    source = Source(history())

    fetch = fetch_snapshot(source, "AAPL", None)

    assert source.requests == [None]
    assert counts(fetch) == {"new_sessions": 60}
    assert fetch.snapshot.facts == {
        "source": "remote",
        "library": "remote 1.0",
        "fetched_at": "2024-03-27T23:00:00+00:00",
        "whole_at": "2024-03-27T23:00:00+00:00",
        "currency": "USD",
        "content_hash": data_version(history()),
        "previous_hash": None,
        "rows": 60,
        "restatements": {"counts": fetch.changes.counts, "dates": fetch.changes.dates()},
    }


def test_later_fetches_of_a_remote_source_take_a_short_overlap_and_append_new_sessions(store):
    source = Source(history(60))
    first = fetch_and_store(store, source)
    source.prices = history(63) * (1 + 1e-9)

    fetch = fetch_and_store(store, source)

    assert source.requests == [None, SESSIONS[60 - OVERLAP].date()]
    assert counts(fetch) == {"new_sessions": 3}
    assert fetch.snapshot.facts["previous_hash"] == first.snapshot.facts["content_hash"]
    pd.testing.assert_frame_equal(fetch.snapshot.table[:60], first.snapshot.table, check_exact=True, check_freq=False)
    assert len(store.stamps(RAW_PRICES, "AAPL")) == 2


def test_a_snapshot_is_never_rewritten(store):
    source = Source(history(60))
    fetch_and_store(store, source)
    (stamp,) = store.stamps(RAW_PRICES, "AAPL")
    source.prices = history(63) / 2

    fetch_and_store(store, source)

    pd.testing.assert_frame_equal(store.read(RAW_PRICES, "AAPL", stamp=stamp).table, history(60), check_freq=False)


def test_a_split_applied_to_the_past_fetches_the_whole_history_again(store):
    source = Source(history(60))
    fetch_and_store(store, source)
    split = history(61) / 2
    split.loc[SESSIONS[60], "splits"] = 2.0
    source.prices = split

    fetch = fetch_and_store(store, source)

    assert source.requests == [None, SESSIONS[50].date(), None]
    assert counts(fetch) == {"new_sessions": 1, "restated": 60, "new_splits": 1}
    assert fetch.snapshot.facts["content_hash"] == data_version(split)
    assert "have changed" in fetch.request


def test_a_dividend_moves_the_adjusted_close_of_the_whole_history_and_restates_nothing(store):
    source = Source(history(60))
    fetch_and_store(store, source)
    prices = history(61)
    prices.loc[SESSIONS[60], "dividends"] = 1.0
    prices.loc[: SESSIONS[59], "adj_close"] *= 0.99
    source.prices = prices

    fetch = fetch_and_store(store, source)

    assert counts(fetch) == {"new_sessions": 1, "new_dividends": 1, "readjusted": 60}
    assert fetch.snapshot.facts["content_hash"] == data_version(prices)


@pytest.mark.slow
def test_the_whole_fetch_after_30_days_finds_a_correction_before_the_overlap(store):
    source, restatements = Source(history(60)), []
    fetch_and_store(store, source)
    for sessions in (61, 79, 80, 81, 82):
        source.prices = history(sessions)
        source.prices.loc[SESSIONS[3], "close"] += 0.5
        restatements.append(counts(fetch_and_store(store, source)).get("restated", 0))

    assert SESSIONS[80] - SESSIONS[59] == timedelta(days=30)
    assert restatements == [0, 0, 0, 1, 0]
    assert [since is None for since in source.requests] == [True, False, False, False, True, False]


@pytest.mark.parametrize(
    "error", [RateLimited("429"), SourceUnavailable("offline"), Delisted("gone"), UnknownTicker("unknown")]
)
@pytest.mark.parametrize("second", [False, True], ids=["increment", "whole history after it"])
def test_an_error_is_raised_and_keeps_the_snapshot_unchanged(store, error, second):
    source = Source(history(60))
    fetch_and_store(store, source)
    if second:
        source.prices = history(60) / 2
        original = source.fetch
        source.fetch = lambda ticker, since=None: original(ticker, since) if since else _raise(error)
    else:
        source.error = error

    with pytest.raises(type(error)):
        fetch_and_store(store, source)

    assert len(store.stamps(RAW_PRICES, "AAPL")) == 1
    assert store.facts(RAW_PRICES, "AAPL")["content_hash"] == data_version(history(60))


def test_a_delisted_ticker_is_noted_for_serving_until_it_trades_again(store):
    source = Source(history(60))
    fetch_and_record_delisting(store, source, "AAPL")
    assert not store.exists("delisted", "AAPL")

    source.error = Delisted("yahoo: last traded on 2024-03-01")
    with pytest.raises(Delisted):
        fetch_and_record_delisting(store, source, "AAPL")
    assert store.facts("delisted", "AAPL") == {"reason": "yahoo: last traded on 2024-03-01"}

    source.error = SourceUnavailable("offline")
    with pytest.raises(SourceUnavailable):
        fetch_and_record_delisting(store, source, "AAPL")
    assert store.exists("delisted", "AAPL")

    source.error = None
    fetch_and_record_delisting(store, source, "AAPL")
    assert not store.exists("delisted", "AAPL")


def _raise(error):
    raise error


@pytest.fixture
def fetched(store):
    """A remote source whose sessions until 2024-03-27 are stored, and a function that fetches at a time of UTC."""
    source = Source(history(60))
    fetch_and_store(store, source)

    def fetch_at(text):
        source.at = datetime.fromisoformat(f"{text}+00:00")
        source.requests.clear()
        result = fetch_and_record_delisting(store, source, "AAPL", now=source.at)
        if result.is_new:
            store.write(RAW_PRICES, "AAPL", result.snapshot, keep_history=True)
        return result

    fetch_at.source = source
    return fetch_at


@pytest.mark.parametrize("moment", ["2024-03-27 23:01", "2024-03-28 12:00", "2024-03-28 19:59"])
def test_nothing_is_requested_until_the_next_session_has_closed(fetched, moment):
    result = fetched(moment)

    assert fetched.source.requests == []
    assert (result.is_new, result.request) == (
        False,
        "nothing requested: the fetch of 2024-03-27 23:00 UTC has the last session",
    )
    assert result.facts["checked_at"] == "2024-03-27T23:00:00+00:00"
    assert counts(result) == {}


@pytest.mark.slow
def test_the_next_closed_session_is_requested_and_again_until_it_has_settled_and_is_there(fetched):
    fetched.source.prices = history(61)
    fetched.source.prices.loc[SESSIONS[60], "close"] = np.nan
    requests = []
    for moment in ("2024-03-28 20:01", "2024-03-28 20:02", "2024-03-28 21:02"):
        fetched(moment)
        requests.append(len(fetched.source.requests))
    fetched.source.prices = history(61)
    for moment in ("2024-03-28 21:03", "2024-03-29 02:00"):  # Good Friday
        fetched(moment)
        requests.append(len(fetched.source.requests))

    assert [count > 0 for count in requests] == [True, True, True, True, False]


@pytest.mark.slow
def test_a_whole_fetch_another_source_a_note_and_a_local_source_are_not_left_out(fetched, store):
    fetched.source.prices = history(80)
    fetched("2024-04-25 23:00")
    assert fetched("2024-04-25 23:30").request.startswith("nothing requested")
    assert fetched("2024-04-26 23:00").request == "whole history: nothing new"
    store.write("delisted", "AAPL", Dataset(facts={"reason": "gone"}))
    assert not fetched("2024-04-26 00:30").request.startswith("nothing requested")
    fetched.source.name = "other"
    assert fetched("2024-04-25 23:30").is_new
    fetched.source._tickers = ["AAPL"]
    assert fetched("2024-04-25 23:40").request.startswith("whole history")


def test_an_increment_without_a_session_is_nothing_new(store):
    source = Source(history(60))
    first = fetch_and_store(store, source)
    source.error = NoNewData("no sessions")
    source.at = datetime(2024, 3, 28, 12, tzinfo=UTC)

    fetch = fetch_and_store(store, source)

    assert not fetch.is_new
    assert "nothing new (no sessions)" in fetch.request
    assert fetch.facts["content_hash"] == first.facts["content_hash"]
    assert fetch.facts["fetched_at"] == first.facts["fetched_at"] < fetch.facts["checked_at"]


def test_no_data_at_the_first_fetch_is_an_error():
    source = Source(history())
    source.error = NoNewData("no sessions")

    with pytest.raises(NoNewData):
        fetch_snapshot(source, "AAPL", None)


@pytest.mark.parametrize("tickers", [None, ["AAPL"]], ids=["remote", "local"])
def test_the_same_rows_again_add_no_snapshot_but_record_the_check(store, tickers):
    source = Source(history(60), tickers=tickers)
    first = fetch_and_store(store, source)
    source.at = datetime(2024, 3, 28, 12, tzinfo=UTC)

    fetch = fetch_and_store(store, source)

    assert len(store.stamps(RAW_PRICES, "AAPL")) == 1
    assert not any(fetch.changes.counts.values())
    assert fetch.facts | {"how": "", "checked_at": "", "new_snapshot": None, "restatements": {}} == {
        **first.facts,
        "how": "",
        "checked_at": "",
        "new_snapshot": None,
        "restatements": {},
    }
    assert (fetch.facts["checked_at"], fetch.facts["new_snapshot"]) == ("2024-03-28T12:00:00+00:00", False)


def test_a_local_source_is_fetched_whole_and_compared_each_time(store):
    source = Source(history(60), tickers=["AAPL"])
    fetch_and_store(store, source)
    source.prices = history(61).drop(SESSIONS[5])
    source.prices.loc[SESSIONS[3], "close"] += 0.5

    fetch = fetch_and_store(store, source)

    assert source.requests == [None, None]
    assert counts(fetch) == {"new_sessions": 1, "restated": 1, "vanished": 1}
    assert fetch.snapshot.facts["restatements"]["dates"] == {
        "new_sessions": [f"{SESSIONS[60]:%Y-%m-%d}"],
        "restated": ["2024-01-05"],
        "vanished": ["2024-01-09"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("move", [0.0, 0.5], ids=["unchanged", "changed"])
def test_an_open_bar_that_closes_is_a_new_session_and_not_a_restatement(store, move):
    source = Source(history(61))
    source.at = SESSIONS[60].to_pydatetime().replace(hour=16, tzinfo=UTC)  # noon in New York
    noon = fetch_and_store(store, source)
    source.at += timedelta(hours=7)
    source.prices.loc[SESSIONS[60], ["open", "high", "low", "close"]] += move

    evening = fetch_and_store(store, source)

    assert (counts(noon), counts(evening)) == ({"new_sessions": 60}, {"new_sessions": 1})
    assert clean_snapshot(noon.snapshot, "AAPL").prices.index[-1] == SESSIONS[59]
    assert clean_snapshot(evening.snapshot, "AAPL").prices.index[-1] == SESSIONS[60]


@pytest.mark.slow
def test_removing_a_row_with_a_future_date_makes_a_snapshot(store):
    ahead = history(61)
    source = Source(
        ahead.set_axis([*ahead.index[:-1], pd.Timestamp("2062-01-03")]).rename_axis("date"), tickers=["AAPL"]
    )
    source.at = datetime(2024, 3, 28, 12, tzinfo=UTC)
    fetch_and_store(store, source)
    source.prices = history(60)

    assert fetch_and_store(store, source).is_new
    assert len(clean_snapshot(store.read(RAW_PRICES, "AAPL"), "AAPL").quarantine) == 0


@pytest.mark.slow
def test_each_source_is_compared_with_itself(store):
    one, other = Source(history(60)), Source(history(50) / 2, name="other")
    fetch_and_store(store, one)
    assert counts(fetch_and_store(store, other)) == {"new_sessions": 50}
    one.at = datetime(2024, 3, 28, 12, tzinfo=UTC)

    back = fetch_and_store(store, one)

    assert (back.is_new, counts(back)) == (True, {})
    assert store.facts(RAW_PRICES, "AAPL")["source"] == "remote"
    assert store.facts(RAW_PRICES, "AAPL")["fetched_at"] == "2024-03-28T12:00:00+00:00"


@pytest.mark.slow
def test_a_damaged_snapshot_is_replaced_from_the_one_before_it(store, tmp_path):
    source = Source(history(60))
    fetch_and_store(store, source)
    source.prices = history(63)
    fetch_and_store(store, source)
    newest = store.stamps(RAW_PRICES, "AAPL")[-1]
    next(tmp_path.rglob(f"{newest}/*.parquet")).write_bytes(b"PAR1")

    fetch = fetch_and_store(store, source)

    assert fetch.is_new
    assert counts(fetch) == {"new_sessions": 3}
    pd.testing.assert_frame_equal(store.read(RAW_PRICES, "AAPL").table, history(63), check_freq=False)
    assert last_snapshot(store, "AAPL", "remote")[1]


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(st.integers(1, len(SESSIONS)), min_size=1, max_size=5))
def test_increments_of_a_consistent_source_add_up_to_its_whole_history(steps):
    source, snapshot = Source(None), None
    for sessions in sorted(steps):
        source.prices = history(sessions)
        snapshot = fetch_snapshot(source, "AAPL", snapshot, now=source.now).snapshot

    assert snapshot.facts["content_hash"] == data_version(history(max(steps)))
