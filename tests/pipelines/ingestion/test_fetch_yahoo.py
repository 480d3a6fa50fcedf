"""Snapshots of the real yfinance client, from a loopback server: what each outcome leaves in the store."""

from datetime import UTC, datetime, time

import pytest

from tests.pipelines.ingestion.sources.yahoo_server import (
    Bar,
    at,
    chart,
    empty,
    limited,
    loopback_session,
    refusal,
    running,
)
from zenith_core.errors import Delisted, RateLimited, SourceUnavailable
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.fetch import OVERLAP, fetch_next
from zenith_pipelines.ingestion.sources.base import RAW_PRICES
from zenith_pipelines.ingestion.sources.yahoo import YahooSource

TICKER = "PETR4.SA"
FIRST, LAST = datetime(2024, 1, 2).date(), datetime(2024, 2, 9).date()
DAYS = [f"{day:%Y-%m-%d}" for day in sessions_between(exchange_of(TICKER), FIRST, LAST)]
KNOWN = len(DAYS) - 1  # sessions of the first fetch
EVENINGS = [datetime.fromisoformat(f"{day}T23:00:00+00:00") for day in DAYS]


def bars(days=DAYS, scale=1.0, **last):
    closes = [scale * (30.0 + number) for number in range(len(DAYS))]
    return [
        Bar(day, close, **(last if day == DAYS[-1] else {}))
        for day, close in zip(DAYS, closes, strict=True)
        if day in days
    ]


def charted(*given):
    return chart(*given, last_trade=given[-1].day)


@pytest.fixture
def yahoo():
    with running() as server:
        yield server


@pytest.fixture
def asking(yahoo, tmp_path):
    """Fetch at an evening and keep what is new, as the asset does; the first fetch has been made."""
    store = DatasetStore(str(tmp_path))
    clock = [EVENINGS[-2]]

    with loopback_session(yahoo.server_port) as session:
        source = YahooSource(session=session, sleep=lambda _: None, clock=lambda: clock[0])

        def ask():
            fetch = fetch_next(store, source, TICKER, now=clock[0])
            if fetch.is_new:
                store.write(RAW_PRICES, TICKER, fetch.snapshot, keep_history=True)
            return fetch

        yahoo.answers = [charted(*bars(DAYS[:KNOWN]))]
        ask()
        clock[0] = EVENINGS[-1]
        ask.store = store
        yield ask


def counts(fetch):
    return {kind: count for kind, count in fetch.changes.counts.items() if count}


def test_an_increment_asks_for_the_overlap_and_appends(asking, yahoo):
    yahoo.answers = [charted(*bars(DAYS[KNOWN - OVERLAP :]))]

    fetch = asking()

    assert f"period1={at(DAYS[KNOWN - OVERLAP], time())}" in yahoo.prices_asked[-1]
    assert counts(fetch) == {"new_sessions": 1}
    assert len(fetch.snapshot.table) == len(DAYS)
    assert fetch.snapshot.facts["library"].startswith("yfinance 1.")


def test_a_split_between_two_fetches_brings_the_whole_history_again(asking, yahoo):
    split = bars(scale=0.5, split=(2, 1))
    yahoo.answers = [charted(*split[KNOWN - OVERLAP :]), charted(*split)]

    fetch = asking()

    assert counts(fetch) == {"new_sessions": 1, "restated": KNOWN, "new_splits": 1}
    assert fetch.snapshot.table["close"].iloc[0] == 15.0
    first, second = asking.store.stamps(RAW_PRICES, TICKER)
    assert asking.store.read(RAW_PRICES, TICKER, stamp=first).table["close"].iloc[0] == 30.0
    assert asking.store.read(RAW_PRICES, TICKER, stamp=second).table["close"].iloc[0] == 15.0


def test_a_429_then_an_answer_is_an_increment(asking, yahoo):
    yahoo.answers = [limited("1"), charted(*bars(DAYS[KNOWN - OVERLAP :]))]

    assert counts(asking()) == {"new_sessions": 1}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (limited(), RateLimited),
        (refusal(503, "Unavailable", "try later"), SourceUnavailable),
        (refusal(404), Delisted),
        (chart(*bars(), exchange="YHD"), Delisted),
    ],
    ids=["429 for ever", "503 for ever", "404", "delisted"],
)
def test_a_refusal_leaves_the_snapshot_as_it_was(asking, yahoo, answer, error):
    before = asking.store.facts(RAW_PRICES, TICKER)
    yahoo.answers = [answer]

    with pytest.raises(error):
        asking()

    assert asking.store.facts(RAW_PRICES, TICKER) == before
    assert len(asking.store.stamps(RAW_PRICES, TICKER)) == 1


def test_offline_leaves_the_snapshot_as_it_was(asking, yahoo):
    before = asking.store.facts(RAW_PRICES, TICKER)
    yahoo.shutdown()
    yahoo.server_close()  # from here on connections are refused

    with pytest.raises(SourceUnavailable, match=f"yahoo could not be asked for {TICKER}: .*"):
        asking()

    assert asking.store.facts(RAW_PRICES, TICKER) == before
    assert len(asking.store.stamps(RAW_PRICES, TICKER)) == 1


def test_an_empty_answer_is_nothing_new(asking, yahoo):
    yahoo.answers = [empty(last_trade=DAYS[-1])]

    fetch = asking()

    assert "nothing new" in fetch.request
    assert len(asking.store.stamps(RAW_PRICES, TICKER)) == 1
    assert fetch.facts["checked_at"] == EVENINGS[-1].astimezone(UTC).isoformat()


def test_a_last_bar_without_prices_that_is_filled_the_next_time_is_reported(asking, yahoo):
    nothing = [*bars(DAYS[KNOWN - OVERLAP : KNOWN]), Bar(DAYS[-1], None)]
    yahoo.answers = [charted(*nothing)]
    asking()
    yahoo.answers = [charted(*bars(DAYS[KNOWN - OVERLAP :])), charted(*bars())]

    assert counts(asking()) == {"restated": 1}
