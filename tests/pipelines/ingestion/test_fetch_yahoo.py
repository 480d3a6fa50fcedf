"""The real yfinance client against a loopback server: the snapshots that each outcome leaves in the store."""

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
FIRST_FETCH = len(DAYS) - 1  # its sessions
EVENINGS = [datetime.fromisoformat(f"{day}T23:00:00+00:00") for day in DAYS]


def bars(days=DAYS, scale=1.0, **last):
    closes = [scale * (30.0 + number) for number in range(len(DAYS))]
    return [
        Bar(day, close, **(last if day == DAYS[-1] else {}))
        for day, close in zip(DAYS, closes, strict=True)
        if day in days
    ]


def chart_until(*bars):
    return chart(*bars, last_trade=bars[-1].day)


@pytest.fixture
def yahoo():
    with running() as server:
        yield server


@pytest.fixture
def fetching(yahoo, tmp_path):
    """Fetch on the last evening and store a new snapshot, as the asset does; an earlier fetch is stored."""
    store = DatasetStore(str(tmp_path))
    clock = [EVENINGS[-2]]

    with loopback_session(yahoo.server_port) as session:
        source = YahooSource(session=session, sleep=lambda _: None, clock=lambda: clock[0])

        def fetch():
            result = fetch_next(store, source, TICKER, now=clock[0])
            if result.is_new:
                store.write(RAW_PRICES, TICKER, result.snapshot, keep_history=True)
            return result

        yahoo.answers = [chart_until(*bars(DAYS[:FIRST_FETCH]))]
        fetch()
        clock[0] = EVENINGS[-1]
        fetch.store = store
        yield fetch


def counts(result):
    return {kind: count for kind, count in result.changes.counts.items() if count}


@pytest.mark.slow
def test_an_increment_requests_the_overlap_and_appends(fetching, yahoo):
    yahoo.answers = [chart_until(*bars(DAYS[FIRST_FETCH - OVERLAP :]))]

    result = fetching()

    assert f"period1={at(DAYS[FIRST_FETCH - OVERLAP], time())}" in yahoo.price_requests[-1]
    assert counts(result) == {"new_sessions": 1}
    assert len(result.snapshot.table) == len(DAYS)
    assert result.snapshot.facts["library"].startswith("yfinance 1.")


@pytest.mark.slow
def test_a_split_between_two_fetches_fetches_the_whole_history_again(fetching, yahoo):
    split = bars(scale=0.5, split=(2, 1))
    yahoo.answers = [chart_until(*split[FIRST_FETCH - OVERLAP :]), chart_until(*split)]

    result = fetching()

    assert counts(result) == {"new_sessions": 1, "restated": FIRST_FETCH, "new_splits": 1}
    assert result.snapshot.table["close"].iloc[0] == 15.0
    first, second = fetching.store.stamps(RAW_PRICES, TICKER)
    assert fetching.store.read(RAW_PRICES, TICKER, stamp=first).table["close"].iloc[0] == 30.0
    assert fetching.store.read(RAW_PRICES, TICKER, stamp=second).table["close"].iloc[0] == 15.0


def test_prices_after_a_429_are_an_increment(fetching, yahoo):
    yahoo.answers = [limited("1"), chart_until(*bars(DAYS[FIRST_FETCH - OVERLAP :]))]

    assert counts(fetching()) == {"new_sessions": 1}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (limited(), RateLimited),
        (refusal(503, "Unavailable", "try later"), SourceUnavailable),
        (refusal(404), Delisted),
        (chart(*bars(), exchange="YHD"), Delisted),
    ],
    ids=["permanent 429", "permanent 503", "404", "delisted"],
)
def test_a_refusal_keeps_the_snapshot_unchanged(fetching, yahoo, answer, error):
    before = fetching.store.facts(RAW_PRICES, TICKER)
    yahoo.answers = [answer]

    with pytest.raises(error):
        fetching()

    assert fetching.store.facts(RAW_PRICES, TICKER) == before
    assert len(fetching.store.stamps(RAW_PRICES, TICKER)) == 1


def test_a_fetch_offline_keeps_the_snapshot_unchanged(fetching, yahoo):
    before = fetching.store.facts(RAW_PRICES, TICKER)
    yahoo.shutdown()
    yahoo.server_close()  # from here on connections are refused

    with pytest.raises(SourceUnavailable, match=f"yahoo request for {TICKER} failed: .*"):
        fetching()

    assert fetching.store.facts(RAW_PRICES, TICKER) == before
    assert len(fetching.store.stamps(RAW_PRICES, TICKER)) == 1


def test_an_empty_response_is_nothing_new(fetching, yahoo):
    yahoo.answers = [empty(last_trade=DAYS[-1])]

    result = fetching()

    assert "nothing new" in result.request
    assert len(fetching.store.stamps(RAW_PRICES, TICKER)) == 1
    assert result.facts["checked_at"] == EVENINGS[-1].astimezone(UTC).isoformat()


@pytest.mark.slow
def test_prices_that_a_later_fetch_adds_to_an_empty_bar_are_restated(fetching, yahoo):
    empty_bar = [*bars(DAYS[FIRST_FETCH - OVERLAP : FIRST_FETCH]), Bar(DAYS[-1], None)]
    yahoo.answers = [chart_until(*empty_bar)]
    fetching()
    yahoo.answers = [chart_until(*bars(DAYS[FIRST_FETCH - OVERLAP :])), chart_until(*bars())]

    assert counts(fetching()) == {"restated": 1}
