"""Restatements by a source: two raw tables of one ticker, compared session by session.

Raw tables have a date index (naive midnights; NaT and duplicates allowed) and float columns. Rows of one date are
compared in table order.
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
# Yahoo recomputes the adjusted close for each answer, with other roundings; the smallest real dividend is larger.
_NOISE_ADJUSTED = 1e-5


@dataclass(frozen=True)
class Restatements:
    """The dates of the differences between two tables, each sorted and unique; NaT stands for rows without a date.

    new_sessions:  only the current table has them
    restated:      both have them, with other values: prices, volume, or an action changed or withdrawn
    vanished:      only the previous table has them
    new_splits:    an action where there was none, in new sessions and in old ones
    new_dividends: likewise
    readjusted:    nothing but the adjusted close differs. Each dividend moves it in all earlier sessions, with no
                   change of a price, so this is not a restatement
    """

    new_sessions: pd.DatetimeIndex
    restated: pd.DatetimeIndex
    vanished: pd.DatetimeIndex
    new_splits: pd.DatetimeIndex
    new_dividends: pd.DatetimeIndex
    readjusted: pd.DatetimeIndex

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of sessions of each kind."""
        return {field.name: len(getattr(self, field.name)) for field in fields(self)}

    @property
    def any(self) -> bool:
        """Return True if anything differs."""
        return any(self.counts.values())

    def appends_after(self, day: date) -> bool:
        """Return True if nothing differs up to and including `day`, so that new rows can be appended."""
        kinds = [getattr(self, field.name) for field in fields(self)]
        return all(bool((dates > pd.Timestamp(day)).all()) for dates in kinds)

    def dates(self, most: int = 20) -> dict[str, list[str]]:
        """Return the dates as text, of each kind the newest `most`; kinds without any are left out."""
        by_kind = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: [_text(day) for day in dates[-most:]] for name, dates in by_kind.items() if len(dates)}


def find_restatements(previous: pd.DataFrame, current: pd.DataFrame) -> Restatements:
    """Compare two raw tables of one ticker. Values that differ by floating point noise alone are the same."""
    columns = list(dict.fromkeys([*previous.columns, *current.columns]))
    before, after = _keyed(previous, columns), _keyed(current, columns)
    common = after.index.intersection(before.index, sort=False)
    old, new = before.loc[common], after.loc[common]
    changes = {name: _differs(old, new, name) for name in columns}
    new_actions = {name: _acts(new, name) & ~_acts(old, name) for name in _NO_ACTION}
    values = [changes[name] & ~new_actions.get(name, False) for name in columns if name != _ADJUSTED]
    restated = np.logical_or.reduce([np.zeros(len(common), bool), *values])
    has_new_action = np.logical_or.reduce(list(new_actions.values()))
    new_keys, old_keys = after.index.difference(common, sort=False), before.index.difference(common, sort=False)
    is_new, is_gone = ~_days(new_keys).isin(_days(before.index)), ~_days(old_keys).isin(_days(after.index))
    acting = after.loc[new_keys]
    return Restatements(
        new_sessions=_unique(_days(new_keys)[is_new]),
        restated=_unique(_days(common)[restated], _days(new_keys)[~is_new], _days(old_keys)[~is_gone]),
        vanished=_unique(_days(old_keys)[is_gone]),
        new_splits=_unique(_days(common)[new_actions["splits"]], _days(new_keys)[_acts(acting, "splits")]),
        new_dividends=_unique(_days(common)[new_actions["dividends"]], _days(new_keys)[_acts(acting, "dividends")]),
        readjusted=_unique(_days(common)[changes.get(_ADJUSTED, restated) & ~restated & ~has_new_action]),
    )


def closed_sessions(prices: pd.DataFrame, last_closed: date) -> pd.DataFrame:
    """Return the rows of sessions up to `last_closed`, and those without a date: only these can be restated.

    A later bar was unfinished when it was fetched; a different value the next day is not a restatement.
    """
    return prices.loc[(prices.index <= pd.Timestamp(last_closed)) | prices.index.isna()]


def append_later_rows(previous: pd.DataFrame, increment: pd.DataFrame) -> pd.DataFrame:
    """Append the rows of `increment` that are later than all of `previous`, which stays unchanged."""
    later = increment.loc[increment.index > previous.index.max()]
    table: pd.DataFrame = pd.concat([previous, later.reindex(columns=previous.columns)])
    return table


def last_sessions(previous: pd.DataFrame, sessions: int) -> pd.DataFrame:
    """Return the rows of the last `sessions` dates, which an increment fetches again to compare."""
    days = previous.index.dropna().unique().sort_values()
    return previous[previous.index >= days[-sessions:][0]] if len(days) else previous[:0]


def _keyed(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Index the columns by (nanoseconds, number of earlier rows of that date), which is unique; NaT is a number too."""
    moments = pd.Series(pd.DatetimeIndex(table.index).as_unit("ns").asi8)
    key = pd.MultiIndex.from_arrays([moments, moments.groupby(moments).cumcount()])
    by_key: pd.DataFrame = table.reindex(columns=columns).set_axis(key)
    return by_key


def _days(keys: pd.Index) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(keys.get_level_values(0).to_numpy("int64").view("datetime64[ns]"))


def _differs(old: pd.DataFrame, new: pd.DataFrame, name: str) -> Bools:
    noise = _NOISE_ADJUSTED if name == _ADJUSTED else _NOISE
    same = np.isclose(old[name].to_numpy(), new[name].to_numpy(), rtol=noise, atol=0.0, equal_nan=True)
    matters = _acts(old, name) | _acts(new, name) if name in _NO_ACTION else True
    return np.asarray(~same & matters)


def _acts(table: pd.DataFrame, name: str) -> Bools:
    """Return True where the rows have a split or a dividend."""
    if name not in table:
        return np.zeros(len(table), bool)
    return np.asarray(table[name].notna() & ~table[name].isin(_NO_ACTION[name]))


def _unique(*dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    union = np.unique(np.concatenate([part.to_numpy("datetime64[ns]") for part in dates]))
    return pd.DatetimeIndex(union, name="date")


def _text(day: pd.Timestamp) -> str:
    return "no date" if pd.isna(day) else f"{day:%Y-%m-%d}"
