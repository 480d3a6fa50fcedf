"""What a source changed its mind about: two raw tables of one ticker, compared session by session.

Raw tables have a date index (naive midnights; NaT and duplicates allowed) and float columns. Rows of one date are
compared in the order in which they stand.
"""

from dataclasses import dataclass, fields
from datetime import date

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools

_ADJUSTED = "adj_close"
_NO_ACTION = {"dividends": (0.0,), "splits": (0.0, 1.0)}

# Relative. A source that keeps single precision repeats itself within 1e-7; a cent on 10,000 is 1e-6.
_NOISE = 1e-6
# Yahoo computes the adjusted close anew for each answer, with other roundings; the least real dividend is larger.
_NOISE_ADJUSTED = 1e-5


@dataclass(frozen=True)
class Restatements:
    """The dates of what differs between two tables, each sorted and unique; NaT stands for rows without a date.

    new_sessions:  only the current table has them
    restated:      both have them, with other values: prices, volume, or an action changed or taken back
    vanished:      only the previous table has them
    new_splits:    an action where there was none, in new sessions and in old ones
    new_dividends: likewise
    readjusted:    nothing but the adjusted close differs. Each dividend moves it in all sessions before, without any
                   price having been another one, so this is no restatement
    """

    new_sessions: pd.DatetimeIndex
    restated: pd.DatetimeIndex
    vanished: pd.DatetimeIndex
    new_splits: pd.DatetimeIndex
    new_dividends: pd.DatetimeIndex
    readjusted: pd.DatetimeIndex

    @property
    def counts(self) -> dict[str, int]:
        """How many sessions of each kind."""
        return {field.name: len(getattr(self, field.name)) for field in fields(self)}

    @property
    def any(self) -> bool:
        """Whether anything differs at all."""
        return any(self.counts.values())

    def appends_after(self, day: date) -> bool:
        """Whether nothing differs up to and including `day`: what is new can be put behind what is known."""
        changed = [getattr(self, field.name) for field in fields(self)]
        return all(bool((dates > pd.Timestamp(day)).all()) for dates in changed)

    def dates(self, most: int = 20) -> dict[str, list[str]]:
        """The offending dates as text, of each kind the newest `most`; kinds without any are left out."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: [_text(day) for day in dates[-most:]] for name, dates in named.items() if len(dates)}


def find_restatements(previous: pd.DataFrame, current: pd.DataFrame) -> Restatements:
    """Compare two raw tables of one ticker. Values that differ by floating point noise alone are the same."""
    columns = list(dict.fromkeys([*previous.columns, *current.columns]))
    before, after = _keyed(previous, columns), _keyed(current, columns)
    shared = after.index.intersection(before.index, sort=False)
    old, new = before.loc[shared], after.loc[shared]
    changed = {name: _differs(old, new, name) for name in columns}
    appeared = {name: _acts(new, name) & ~_acts(old, name) for name in _NO_ACTION}
    values = [changed[name] & ~appeared.get(name, False) for name in columns if name != _ADJUSTED]
    restated = np.logical_or.reduce([np.zeros(len(shared), bool), *values])
    announced = np.logical_or.reduce(list(appeared.values()))
    added, removed = after.index.difference(shared, sort=False), before.index.difference(shared, sort=False)
    is_new, is_gone = ~_days(added).isin(_days(before.index)), ~_days(removed).isin(_days(after.index))
    acting = after.loc[added]
    return Restatements(
        new_sessions=_unique(_days(added)[is_new]),
        restated=_unique(_days(shared)[restated], _days(added)[~is_new], _days(removed)[~is_gone]),
        vanished=_unique(_days(removed)[is_gone]),
        new_splits=_unique(_days(shared)[appeared["splits"]], _days(added)[_acts(acting, "splits")]),
        new_dividends=_unique(_days(shared)[appeared["dividends"]], _days(added)[_acts(acting, "dividends")]),
        readjusted=_unique(_days(shared)[changed.get(_ADJUSTED, restated) & ~restated & ~announced]),
    )


def closed_sessions(prices: pd.DataFrame, last_closed: date) -> pd.DataFrame:
    """The rows of sessions up to `last_closed`, and those without a date: what can be restated later.

    A later bar was still moving when it was fetched; another value the next day is no restatement.
    """
    return prices.loc[(prices.index <= pd.Timestamp(last_closed)) | prices.index.isna()]


def append_later_rows(previous: pd.DataFrame, increment: pd.DataFrame) -> pd.DataFrame:
    """`previous` as it is, with the rows of `increment` behind it that are later than all of its own."""
    later = increment.loc[increment.index > previous.index.max()]
    merged: pd.DataFrame = pd.concat([previous, later.reindex(columns=previous.columns)])
    return merged


def last_sessions(previous: pd.DataFrame, sessions: int) -> pd.DataFrame:
    """The rows of the last `sessions` dates: what an increment asks for again, to be compared."""
    days = previous.index.dropna().unique().sort_values()
    return previous[previous.index >= days[-sessions:][0]] if len(days) else previous[:0]


def _keyed(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The columns by (nanoseconds, how many rows of that date stand before), which is unique; NaT is a number too."""
    moments = pd.Series(pd.DatetimeIndex(table.index).as_unit("ns").asi8)
    key = pd.MultiIndex.from_arrays([moments, moments.groupby(moments).cumcount()])
    keyed: pd.DataFrame = table.reindex(columns=columns).set_axis(key)
    return keyed


def _days(keys: pd.Index) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(keys.get_level_values(0).to_numpy("int64").view("datetime64[ns]"))


def _differs(old: pd.DataFrame, new: pd.DataFrame, name: str) -> Bools:
    noise = _NOISE_ADJUSTED if name == _ADJUSTED else _NOISE
    same = np.isclose(old[name].to_numpy(), new[name].to_numpy(), rtol=noise, atol=0.0, equal_nan=True)
    matters = _acts(old, name) | _acts(new, name) if name in _NO_ACTION else True
    return np.asarray(~same & matters)


def _acts(table: pd.DataFrame, name: str) -> Bools:
    """Where the rows have a split or a dividend."""
    if name not in table:
        return np.zeros(len(table), bool)
    return np.asarray(table[name].notna() & ~table[name].isin(_NO_ACTION[name]))


def _unique(*dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    joined = np.unique(np.concatenate([part.to_numpy("datetime64[ns]") for part in dates]))
    return pd.DatetimeIndex(joined, name="date")


def _text(day: pd.Timestamp) -> str:
    return "no date" if pd.isna(day) else f"{day:%Y-%m-%d}"
