from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from zenith_core.errors import UserError
from zenith_core.market import exchanges
from zenith_core.market.exchanges import EXCHANGES, Exchange, exchange_of
from zenith_core.market.sessions import (
    calendar_end,
    calendar_start,
    last_closed_session,
    next_sessions,
    sessions_between,
    sessions_closed_since,
    sessions_with_rows,
)

NEW_YORK = exchange_of("AAPL")
SAO_PAULO = exchange_of("PETR4.SA")
TOKYO = exchange_of("7203.T")


def test_sessions_are_naive_midnights_without_weekends_and_holidays():
    sessions = sessions_between(NEW_YORK, date(2001, 9, 10), date(2001, 9, 18))
    expected = pd.DatetimeIndex(["2001-09-10", "2001-09-17", "2001-09-18"], dtype="datetime64[ns]", name="date")
    pd.testing.assert_index_equal(sessions, expected)


def test_both_ends_are_included():
    assert len(sessions_between(NEW_YORK, date(2013, 3, 1), date(2013, 3, 1))) == 1


def test_the_sample_period_has_3270_sessions():
    assert len(sessions_between(NEW_YORK, date(2000, 3, 1), date(2013, 3, 1))) == 3270


@pytest.mark.slow
def test_the_sixties_are_known():
    assert sessions_between(NEW_YORK, date(1962, 1, 1), date(1962, 1, 5))[0] == pd.Timestamp(1962, 1, 2)


def test_an_inverted_interval_is_empty():
    assert len(sessions_between(NEW_YORK, date(2013, 3, 2), date(2013, 3, 1))) == 0


@pytest.mark.parametrize("day", [date(1, 1, 1), date(9999, 12, 31)])
def test_there_are_no_sessions_beyond_the_calendar(day):
    assert len(sessions_between(NEW_YORK, day, day)) == 0


@pytest.mark.slow
def test_a_calendar_with_a_late_beginning_is_cut_there():
    assert sessions_between(TOKYO, date(1980, 1, 1), date(1997, 1, 7))[0] == pd.Timestamp(1997, 1, 6)
    assert len(sessions_between(TOKYO, date(1950, 1, 1), date(1960, 1, 1))) == 0


def test_next_sessions_skip_weekend_and_carnival():
    following = next_sessions(SAO_PAULO, date(2024, 2, 9), 2)
    assert following == [date(2024, 2, 14), date(2024, 2, 15)]


def test_next_sessions_cross_into_another_decade():
    following = next_sessions(NEW_YORK, date(2019, 12, 30), 30)
    assert len(following) == 30
    assert following[:2] == [date(2019, 12, 31), date(2020, 1, 2)]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2024, 7, 5, 19, 59, tzinfo=UTC), date(2024, 7, 3)),  # the 4th is a holiday
        (datetime(2024, 7, 5, 20, 0, tzinfo=UTC), date(2024, 7, 5)),
        (datetime(2024, 7, 7, 12, 0, tzinfo=UTC), date(2024, 7, 5)),
        (datetime(2024, 7, 3, 17, 0, tzinfo=UTC), date(2024, 7, 3)),  # closes at 13:00 in New York
    ],
)
def test_last_closed_session_waits_for_the_close(now, expected):
    assert last_closed_session(NEW_YORK, now) == expected


@pytest.mark.slow
def test_last_closed_session_across_the_date_line():
    assert last_closed_session(TOKYO, datetime(2024, 7, 4, 23, 0, tzinfo=UTC)) == date(2024, 7, 4)


def test_before_the_beginning_of_a_calendar_no_session_has_closed():
    with pytest.raises(UserError, match="XSAU begins on 20.*, after 2009-08-22"):
        last_closed_session(exchange_of("2222.SR"), datetime(2009, 8, 22, tzinfo=UTC))


@pytest.mark.slow
def test_a_calendar_that_grew_to_other_decades_keeps_its_sessions():
    nineties = sessions_between(SAO_PAULO, date(1995, 1, 1), date(2001, 12, 31))
    assert len(sessions_between(SAO_PAULO, date(1952, 1, 1), date(1952, 12, 31))) > 200
    assert len(sessions_between(SAO_PAULO, date(2041, 1, 1), date(2041, 12, 31))) > 200
    pd.testing.assert_index_equal(sessions_between(SAO_PAULO, date(1995, 1, 1), date(2001, 12, 31)), nineties)


OFTEN = [*map(exchange_of, ("A", "A.SA", "A.L", "A.DE", "A.T", "A.HK", "A.NS", "A.SS", "A.SI", "A.AT", "A.TA", "A.SR"))]
CALENDARS = {exchange.calendar: exchange for exchange in EXCHANGES.values()}
CLOCKS = [
    datetime(2026, 12, 30, 23, tzinfo=UTC),
    datetime(2027, 1, 2, 12, tzinfo=UTC),
    datetime(2028, 2, 29, 12, tzinfo=UTC),
]
SHANGHAI = exchange_of("600519.SS")
BITCOIN, EURO = exchange_of("BTC-USD"), exchange_of("EURUSD=X")


@pytest.mark.slow
@pytest.mark.parametrize("exchange", OFTEN, ids=lambda exchange: exchange.code)
def test_there_are_always_30_next_sessions_and_data_always_age(exchange):
    sessions_go_on(exchange)


@pytest.mark.long
def test_every_calendar_of_the_table_goes_on():
    for exchange in CALENDARS.values():
        sessions_go_on(exchange)


@pytest.mark.long
def test_the_calendars_of_exchanges_that_people_add_go_on(monkeypatch):
    monkeypatch.setattr(exchanges, "EXCHANGES", dict(EXCHANGES))
    exchanges.add_exchanges(
        ".VIE=XWBO:EUR:Europe/Vienna,.BSE=XBOM:INR:Asia/Kolkata,.SGX=XSES:SGD:Asia/Singapore,"
        ".SSE=XSHG:CNY:Asia/Shanghai,.TASE=XTAE:ILS:Asia/Jerusalem"
    )
    for suffix in (".VIE", ".BSE", ".SGX", ".SSE", ".TASE"):
        sessions_go_on(exchange_of(f"A{suffix}"))


def sessions_go_on(exchange):
    for now in CLOCKS:
        following = next_sessions(exchange, now.date(), 30)
        assert len(following) == 30
        assert timedelta(days=30) < following[-1] - now.date() < timedelta(days=60)
        assert now.date() - last_closed_session(exchange, now) < timedelta(days=7)
        age = len(sessions_closed_since(exchange, date(2026, 11, 27), now))
        assert 0.45 < age / (now.date() - date(2026, 11, 27)).days < 0.75


def test_cryptocurrencies_trade_every_day_until_midnight():
    assert next_sessions(BITCOIN, date(2026, 12, 30), 3) == [date(2026, 12, 31), date(2027, 1, 1), date(2027, 1, 2)]
    assert len(sessions_between(BITCOIN, date(2014, 9, 17), date(2014, 9, 30))) == 14
    assert last_closed_session(BITCOIN, datetime(2026, 1, 3, 23, 59, tzinfo=UTC)) == date(2026, 1, 2)
    assert last_closed_session(BITCOIN, datetime(2026, 1, 4, 0, 0, tzinfo=UTC)) == date(2026, 1, 3)


def test_currencies_trade_on_weekdays():
    friday = date(2026, 12, 25)
    assert next_sessions(EURO, date(2026, 12, 24), 2) == [friday, date(2026, 12, 28)]
    assert last_closed_session(EURO, datetime(2026, 12, 27, 12, tzinfo=UTC)) == friday


def test_before_the_start_of_a_calendar_the_rows_are_the_sessions():
    days = pd.DatetimeIndex(["1990-01-04", "1990-01-05", "1990-01-09", "1997-01-06", "1997-01-08", None])
    sessions = sessions_with_rows(TOKYO, days)
    assert calendar_start(TOKYO) == date(1997, 1, 1)
    assert [f"{day:%Y-%m-%d}" for day in sessions] == [
        *("1990-01-04", "1990-01-05", "1990-01-09", "1997-01-06", "1997-01-07", "1997-01-08")
    ]
    assert len(sessions_with_rows(TOKYO, days[-1:])) == 0


def test_sessions_after_the_end_of_a_calendar_follow_its_usual_week_and_closing_time():
    end = calendar_end(SHANGHAI)
    days = next_sessions(SHANGHAI, end, 10)
    assert [day.weekday() for day in days].count(4) == 2
    assert not {5, 6} & {day.weekday() for day in days}
    first = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
    assert last_closed_session(SHANGHAI, first.replace(hour=6, minute=59)) <= end  # Shanghai closes at 15:00, 7:00 UTC
    assert last_closed_session(SHANGHAI, first.replace(hour=7)) == days[0]


def test_a_calendar_whose_rules_go_on_has_no_end():
    assert calendar_end(NEW_YORK) is None


@pytest.mark.parametrize("error", [ValueError, NotImplementedError])
def test_a_calendar_that_the_library_cannot_build_is_one_line(monkeypatch, error):
    import exchange_calendars

    def fail(*_, **__):
        raise error("Special dates [Timestamp('2020-01-05'),\n Timestamp('2020-01-12')] are not sessions." * 40)

    monkeypatch.setattr(exchange_calendars, "get_calendar", fail)
    with pytest.raises(
        UserError, match=r"^exchange_calendars cannot build its calendar BROKEN: Special dates .{60,70}$"
    ):
        calendar_end(Exchange("BROKEN", "BROKEN", "EUR", "Europe/Vienna"))
