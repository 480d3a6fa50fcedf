"""Trading sessions of an exchange: past, next and closed ones. Dates are naive and local.

The calendars of some exchanges end, in `exchange_calendars`, with the last year whose holidays are published. Later
sessions are estimated by the exchange's weekly rule: its usual days, without holidays, closing at the usual time.
"""

import warnings
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zenith_core.errors import UserError
from zenith_core.market.exchanges import Exchange

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

# A stray date of the year 1 must not build a calendar of 2,000 years.
FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2199, 12, 31)
HOLIDAYS_FROM = 1970
# The library cannot build the years in which Tel Aviv traded on Sundays.
_BEGINNINGS = {"XTAE": pd.Timestamp(2026, 1, 5)}


def sessions_between(exchange: Exchange, first: date, last: date) -> pd.DatetimeIndex:
    """Return the sessions from `first` to `last`, both included: naive, midnight, sorted.

    There are none before 1900 (or `calendar_start`) and after 2199. Those after `calendar_end` are estimated.
    """
    first, last = max(first, FIRST_DAY), min(last, LAST_DAY)
    if first > last:
        return pd.DatetimeIndex([], dtype="datetime64[ns]", name="date")
    sessions = _sessions(exchange.calendar, *_decades(first, last))
    start = sessions.searchsorted(pd.Timestamp(first))
    stop = sessions.searchsorted(pd.Timestamp(last), side="right")
    return sessions[start:stop]


def calendar_start(exchange: Exchange) -> date:
    """Return the first day that the calendar covers. Sessions before it are unknown."""
    start, _ = _bounds(exchange.calendar)
    return start.date()


def sessions_with_rows(exchange: Exchange, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the sessions from the first to the last of `days`; before the calendar's start, the `days` themselves."""
    days = days.dropna()
    if days.empty:
        return days
    sessions = sessions_between(exchange, days.min().date(), days.max().date())
    early = days[(days < pd.Timestamp(calendar_start(exchange))) & (days >= pd.Timestamp(FIRST_DAY))]
    return sessions if early.empty else pd.DatetimeIndex(early.unique().sort_values().append(sessions), name="date")


def next_sessions(exchange: Exchange, after: date, count: int) -> list[date]:
    """Return the `count` sessions after the day `after`, which need not be a session itself."""
    horizon = after + timedelta(days=2 * count + 30)  # exchanges open on more than half of all days
    following = sessions_between(exchange, after + timedelta(days=1), horizon)[:count]
    return [session.date() for session in following]


def last_closed_session(exchange: Exchange, now: datetime) -> date:
    """Return the newest session whose regular trading has ended at `now` (zone-aware)."""
    moment = pd.Timestamp(now.astimezone(UTC))
    closes = _closes(exchange.calendar, *_decades((now - timedelta(days=30)).date(), now.date()))
    newest: pd.Timestamp = closes.index[int(closes.searchsorted(moment, side="right")) - 1]
    return newest.date()


def sessions_closed_since(exchange: Exchange, last: date, now: datetime) -> pd.DatetimeIndex:
    """Return the sessions after `last` whose regular trading has ended at `now` (zone-aware): the age of data."""
    return sessions_between(exchange, last + timedelta(days=1), last_closed_session(exchange, now))


def closing_times(exchange: Exchange, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the time in UTC at which each session closed; a day that the calendar lacks closes at the usual time."""
    decades = _decades(days[0].date(), days[-1].date())
    closes, zone = _closes(exchange.calendar, *decades), _calendar(exchange.calendar, *decades).tz
    usual = (days + _usual_close(closes, zone)).tz_localize(zone, nonexistent="shift_forward", ambiguous=False)
    known = closes.reindex(days)
    return pd.DatetimeIndex(known.where(known.notna(), pd.Series(usual.tz_convert(UTC), index=days)))


def calendar_end(exchange: Exchange) -> date | None:
    """Return the last day with published sessions, or None if the calendar's rules go on. Later ones are estimated."""
    _, end = _bounds(exchange.calendar)
    return end.date() if end < pd.Timestamp(LAST_DAY) else None


def _decades(first: date, last: date) -> tuple[int, int]:
    """Return the decades of two dates, so that few calendars serve all tickers of an exchange."""
    return first.year // 10 * 10, last.year // 10 * 10


@cache
def _sessions(name: str, first_decade: int, last_decade: int) -> pd.DatetimeIndex:
    calendar = _calendar(name, first_decade, last_decade)
    sessions = pd.DatetimeIndex(calendar.sessions.to_numpy(), name="date").as_unit("ns")
    if first_decade < HOLIDAYS_FROM and calendar.regular_holidays:
        # By default the library has holidays from 1970 on only; pandas can compute the earlier ones.
        early = calendar.regular_holidays.holidays(calendar.first_session, pd.Timestamp(HOLIDAYS_FROM, 1, 1))
        sessions = sessions[~sessions.isin(early)]
    return pd.DatetimeIndex(sessions.append(_estimated_sessions(name, last_decade)))


@cache
def _closes(name: str, first_decade: int, last_decade: int) -> "pd.Series[pd.Timestamp]":
    """Return the closing times in UTC by session, estimated ones included."""
    calendar = _calendar(name, first_decade, last_decade)
    closes: pd.Series[pd.Timestamp] = calendar.closes
    later_sessions = _estimated_sessions(name, last_decade)
    if later_sessions.empty:
        return closes
    later = (later_sessions + _usual_close(closes, calendar.tz)).tz_localize(
        calendar.tz, nonexistent="shift_forward", ambiguous=False
    )
    closes = pd.concat([closes, pd.Series(later.tz_convert(UTC), index=later_sessions)])
    return closes


def _usual_close(closes: "pd.Series[pd.Timestamp]", zone: Any) -> pd.Timedelta:
    """Return the usual time from a session's midnight to its close, both local."""
    delay: pd.Timedelta = (closes.dt.tz_convert(zone).dt.tz_localize(None) - closes.index).mode().iloc[0]
    return delay


def _estimated_sessions(name: str, last_decade: int) -> pd.DatetimeIndex:
    """Return the usual trading days after the calendar's end, up to the end of the decade."""
    _, end = _bounds(name)
    days = pd.date_range(end + pd.Timedelta(days=1), pd.Timestamp(last_decade + 9, 12, 31), name="date", unit="ns")
    if days.empty:  # to build a calendar takes a while
        return days
    calendar = _calendar(name, last_decade, last_decade)
    return days[np.array([flag == "1" for flag in calendar.weekmask])[days.day_of_week]]


@cache
def _calendar(name: str, first_decade: int, last_decade: int) -> "ExchangeCalendar":
    lowest, highest = _bounds(name)
    start = max(pd.Timestamp(first_decade, 1, 1), lowest)
    end = min(pd.Timestamp(last_decade + 9, 12, 31), highest)
    return _make(name, min(start, highest - pd.Timedelta(days=366)), max(end, lowest + pd.Timedelta(days=366)))


@cache
def _bounds(name: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and last day for which the library can build this calendar."""
    first = _BEGINNINGS.get(name, pd.Timestamp(2023, 1, 1))
    calendar = _make(name, first, first + pd.Timedelta(days=366))
    return (
        _BEGINNINGS.get(name) or calendar.bound_min() or pd.Timestamp(FIRST_DAY),
        calendar.bound_max() or pd.Timestamp(LAST_DAY),
    )


def _make(name: str, start: pd.Timestamp, end: pd.Timestamp) -> "ExchangeCalendar":
    import exchange_calendars

    with warnings.catch_warnings():
        # The library reads zone-aware columns through Series.values, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return exchange_calendars.get_calendar(name, start=start, end=end)
        except (ValueError, NotImplementedError) as error:
            reason = " ".join(str(error).split())[:80]
            raise UserError(f"exchange_calendars cannot build its calendar {name}: {reason}") from None
