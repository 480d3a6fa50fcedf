"""Trading sessions of an exchange: past, next and closed ones. Dates are naive and local.

The calendars of some exchanges end, in `exchange_calendars`, with the last year whose holidays are published. Later
sessions are estimated by the exchange's weekly rule: its usual days, without holidays, closing at the usual time.
"""

import warnings
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

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
USUAL_START = date(HOLIDAYS_FROM, 1, 1)
_YEAR = pd.Timedelta(days=366)
_HABIT = 2_500  # sessions, ten years of them: exchanges move their closing times now and then
# The library cannot build the years in which Tel Aviv traded on Sundays.
_BEGINNINGS = {"XTAE": pd.Timestamp(2026, 1, 5)}


def sessions_between(exchange: Exchange, first: date, last: date) -> pd.DatetimeIndex:
    """Return the sessions from `first` to `last`, both included: naive, midnight, sorted.

    There are none before 1900 (or `calendar_start`) and after 2199. Those after `calendar_end` are estimated.
    """
    first, last = max(first, FIRST_DAY), min(last, LAST_DAY)
    if first > last:
        return pd.DatetimeIndex([], dtype="datetime64[ns]", name="date")
    sessions = _calendar(exchange, first, last).sessions
    start = sessions.searchsorted(pd.Timestamp(first))
    stop = sessions.searchsorted(pd.Timestamp(last), side="right")
    return sessions[start:stop]


def calendar_start(exchange: Exchange) -> date:
    """Return the first day that the calendar covers. Sessions before it are unknown."""
    return _calendar(exchange).start.date()


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
    """Return the newest session whose regular trading has ended at `now` (zone-aware).

    Raises UserError if the calendar begins after `now`.
    """
    moment = pd.Timestamp(now.astimezone(UTC))
    closes = _calendar(exchange, (now - timedelta(days=30)).date(), now.date()).closes
    count = int(closes.searchsorted(moment, side="right"))
    if count == 0:
        raise UserError(f"the calendar {exchange.calendar} begins on {closes.index[0]:%Y-%m-%d}, after {now:%Y-%m-%d}")
    newest: pd.Timestamp = closes.index[count - 1]
    return newest.date()


def sessions_closed_since(exchange: Exchange, last: date, now: datetime) -> pd.DatetimeIndex:
    """Return the sessions after `last` whose regular trading has ended at `now` (zone-aware): the age of data."""
    return sessions_between(exchange, last + timedelta(days=1), last_closed_session(exchange, now))


def closing_times(exchange: Exchange, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the time in UTC at which each session closed; a day that the calendar lacks closes at the usual time."""
    calendar = _calendar(exchange, days[0].date(), days[-1].date())
    closes = calendar.closes.reindex(days)
    return pd.DatetimeIndex(closes.where(closes.notna(), pd.Series(calendar.usual_closes(days), index=days)))


def calendar_end(exchange: Exchange) -> date | None:
    """Return the last day with published sessions, or None if the calendar's rules go on. Later ones are estimated."""
    end = _calendar(exchange).end
    return end.date() if end < pd.Timestamp(LAST_DAY) else None


class _Calendar:
    """The sessions of an exchange over some decades, those after the end of the library's calendar estimated."""

    def __init__(self, name: str, first_decade: int, last_decade: int) -> None:
        self.first_decade, self.last_decade = first_decade, last_decade
        self._published = _build(name, pd.Timestamp(first_decade, 1, 1), pd.Timestamp(last_decade + 9, 12, 31))
        self.start = _BEGINNINGS.get(name) or self._published.bound_min() or pd.Timestamp(FIRST_DAY)
        self.end = self._published.bound_max() or pd.Timestamp(LAST_DAY)

    @cached_property
    def sessions(self) -> pd.DatetimeIndex:
        """The sessions: naive, midnight, sorted."""
        calendar = self._published
        sessions = pd.DatetimeIndex(calendar.sessions.to_numpy(), name="date").as_unit("ns")
        if self.first_decade < HOLIDAYS_FROM and calendar.regular_holidays:
            # By default the library has holidays from 1970 on only; pandas can compute the earlier ones.
            early = calendar.regular_holidays.holidays(calendar.first_session, pd.Timestamp(HOLIDAYS_FROM, 1, 1))
            sessions = sessions[~sessions.isin(early)]
        return pd.DatetimeIndex(sessions.append(self._estimated_sessions))

    @cached_property
    def closes(self) -> "pd.Series[pd.Timestamp]":
        """The closing times in UTC by session."""
        closes: pd.Series[pd.Timestamp] = self._published.closes
        if self._estimated_sessions.empty:
            return closes
        later = pd.Series(self.usual_closes(self._estimated_sessions), index=self._estimated_sessions)
        return pd.concat([closes, later])

    def usual_closes(self, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Return the time in UTC at which the exchange would close on these days, by its habit of the newest years."""
        zone = self._published.tz
        closes = self._published.closes.iloc[-_HABIT:]
        delay: pd.Timedelta = (closes.dt.tz_convert(zone).dt.tz_localize(None) - closes.index).mode().iloc[0]
        return (days + delay).tz_localize(zone, nonexistent="shift_forward", ambiguous=False).tz_convert(UTC)

    @cached_property
    def _estimated_sessions(self) -> pd.DatetimeIndex:
        """The usual trading days after the end of the library's calendar."""
        last = pd.Timestamp(self.last_decade + 9, 12, 31)
        days = pd.date_range(self.end + pd.Timedelta(days=1), last, name="date", unit="ns")
        return days[np.array([flag == "1" for flag in self._published.weekmask])[days.day_of_week]]


_calendars: dict[str, _Calendar] = {}


def _calendar(exchange: Exchange, first: date = USUAL_START, last: date = USUAL_START) -> _Calendar:
    """Return the calendar of an exchange that has all sessions from `first` to `last`, and others.

    To build one takes half a second of CPU, for ten years as for a hundred. So each exchange has one, and a wider one
    takes its place when other decades are asked for.
    """
    calendar = _calendars.get(exchange.calendar)
    first_decade, last_decade = min(first, USUAL_START).year // 10 * 10, last.year // 10 * 10
    if calendar is None or first_decade < calendar.first_decade or calendar.last_decade < last_decade:
        if calendar is not None:
            first_decade = min(first_decade, calendar.first_decade)
            last_decade = max(last_decade, calendar.last_decade)
        calendar = _calendars[exchange.calendar] = _Calendar(exchange.calendar, first_decade, last_decade)
    return calendar


def _build(name: str, start: pd.Timestamp, end: pd.Timestamp) -> "ExchangeCalendar":
    """Build the library's calendar from `start` to `end`, or for that part of it that the library can build."""
    import exchange_calendars

    with warnings.catch_warnings():
        # The library reads zone-aware columns through Series.values, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            if name not in _BEGINNINGS:
                with suppress(ValueError):  # beyond the calendar's bounds
                    return exchange_calendars.get_calendar(name, start=start, end=end)
            first = _BEGINNINGS.get(name, pd.Timestamp(2023, 1, 1))
            calendar = exchange_calendars.get_calendar(name, start=first, end=first + _YEAR)
            lowest = _BEGINNINGS.get(name) or calendar.bound_min() or pd.Timestamp(FIRST_DAY)
            highest = calendar.bound_max() or pd.Timestamp(LAST_DAY)
            start = min(max(start, lowest), highest - _YEAR)
            end = max(min(end, highest), lowest + _YEAR)
            return exchange_calendars.get_calendar(name, start=start, end=end)
        except (ValueError, NotImplementedError) as error:
            reason = " ".join(str(error).split())[:80]
            raise UserError(f"exchange_calendars cannot build its calendar {name}: {reason}") from None
