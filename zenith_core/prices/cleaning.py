"""Raw prices into one adjusted, checked row per session, with an account of every repair and rejection."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.arrays import Bools, Floats, columns_of
from zenith_core.errors import InvalidPrices
from zenith_core.market.exchanges import Exchange, exchange_of
from zenith_core.market.sessions import sessions_with_rows
from zenith_core.prices.adjustments import Adjustment, recorded_adjustment, repaired_adjustment
from zenith_core.prices.jumps import reverting_jumps, unexplained_jumps
from zenith_core.prices.missing_opens import fill_missing_opens
from zenith_core.prices.rejections import (
    CLOSE_OUTSIDE,
    DUPLICATE,
    FUTURE,
    MAX_VALUE,
    MIN_PRICE,
    NO_DATE,
    NOT_A_SESSION,
    OPEN_OUTSIDE,
    PLACEHOLDER,
    UNFINISHED,
    rejection_reasons,
)
from zenith_core.prices.standstill import standing_still
from zenith_core.prices.unit_switches import unit_switch
from zenith_core.words import counted

PRICES = ("open", "high", "low", "close")
_REQUIRED = (*PRICES, "volume")
_ACTIONS = ("dividends", "splits")
_SATURDAY = 5
_MOST_WEEKENDS = 0.2  # share of rows; a week has 2 in 7
_NEAR = 0.05  # beyond low and high: a close that a dividend may be divided by, with an error of a twentieth of it


@dataclass(frozen=True)
class CleaningResult:
    """The result of cleaning: each raw row is in `prices` or in `quarantine`, once, or a placeholder of a holiday.

    prices:     index "date", one row per session: open, high, low, close, volume, adjusted so that the last close
                is the last traded one; factor (adjusted / unadjusted close); flat, carried, suspect (bool), and, if
                an open is missing, open_filled (bool)
    quarantine: the impossible raw rows, unchanged, with `row` (position in the raw table) and `reason`
    counts:     number of rows of each kind and of repairs
    notes:      the same in words, with dates
    missing:    sessions between the first and the last row that the source has no usable row for
    """

    prices: pd.DataFrame
    quarantine: pd.DataFrame
    counts: dict[str, int]
    notes: list[str]
    missing: pd.DatetimeIndex


def clean_prices(
    raw: pd.DataFrame, ticker: str, *, now: datetime | None = None, max_carry: int = 1, from_file: bool = False
) -> CleaningResult:
    """Turn raw prices into one adjusted row per session of the ticker's exchange.

    raw:       date index (NaT and duplicates allowed), columns open, high, low, close, volume, unadjusted;
               optional dividends, splits (0 or NaN where none), adj_close
    now:       sessions that have not closed by then are quarantined; default now
    max_carry: a gap of at most so many sessions is filled with the close before it and flagged; longer gaps remain
    from_file: rows of somebody's file: dividends that may be in the prices already are an error, and so are rows of
               every day of the week for a stock. Elsewhere dividends are not in the prices, unless these show it

    An open of 0 or NaN is missing: it is filled with the close before it, and flagged. Rows without trading on days
    without a session are dropped and counted as placeholders.
    Nothing is filled from the future and no real move is removed. Raises InvalidPrices for a table without the
    columns, with text for numbers, without one usable row, in two units, or for the errors of a file.
    """
    exchange = exchange_of(ticker)
    table, open_filled = fill_missing_opens(_numbers(raw, ticker, exchange))
    reasons = rejection_reasons(table, exchange, now or datetime.now(UTC))
    usable = reasons == ""
    if not usable.any():
        raise InvalidPrices(f"{ticker}: none of {len(raw)} rows is usable: {_tally(reasons) or 'there are none'}")
    if from_file:
        _require_days_of_the_exchange(table.index, reasons, ticker, exchange)
    order = np.flatnonzero(usable)
    order = order[np.argsort(table.index[order].to_numpy(), kind="stable")]
    rows, open_filled = table.iloc[order], open_filled[order]
    has_trading = ~_flat(columns_of(rows, _REQUIRED))
    actions = _actions(table, reasons)
    closes_between = _closes_between(table, reasons, rows.index)
    source_adjustment = recorded_adjustment(rows, actions, closes_between)
    if from_file and source_adjustment.is_doubtful:
        raise InvalidPrices(
            f"{ticker}: the prices may be adjusted for their dividends already, or not: remove the column of dividends"
            " if they are, add a column Adj Close if they are not"
        )
    adjustment = repaired_adjustment(rows, has_trading, source_adjustment)
    adjusted, widened_ranges = _adjusted(rows, adjustment, ticker)
    closes = adjusted["close"][has_trading]
    _require_one_unit(closes, ticker)
    suspect = np.zeros(len(rows), bool)
    suspect[has_trading] = reverting_jumps(closes.to_numpy())
    flags = {"suspect": suspect, **({"open_filled": open_filled} if open_filled.any() else {})}
    prices, missing = _one_row_per_session(adjusted, flags, exchange, max_carry)
    placeholder = reasons == PLACEHOLDER
    bad = ~usable & ~placeholder
    quarantine = raw[bad].assign(row=np.flatnonzero(bad), reason=reasons[bad].astype("str"))
    counts = {
        "rows_in": len(raw),
        "sessions": len(prices),
        "quarantined": len(quarantine),
        "placeholders": int(placeholder.sum()),
        "opens_filled": int(open_filled.sum()),
        "duplicates": int((reasons == DUPLICATE).sum()),
        "carried": int(prices["carried"].sum()),
        "missing_sessions": len(missing),
        "flat": int((prices["flat"] & ~prices["carried"]).sum()),
        "suspect": int(prices["suspect"].sum()),
        "ranges_widened": widened_ranges,
        **adjustment.counts,
    }
    jumps = _unexplained(closes, suspect[has_trading])
    repairs = _repair_notes(table.index[placeholder], rows.index[open_filled])
    if adjustment.counts.get("dividends_applied"):
        ex_dates = actions.index[actions["dividends"] > 0]
        repairs += _dividend_notes(ex_dates, prices.index, missing, closes_between.index)
    notes = [*adjustment.notes, *repairs, *_notes(prices, quarantine, missing), *jumps]
    return CleaningResult(prices, quarantine, counts | {"unexplained_jumps": len(jumps)}, notes, missing)


def _require_days_of_the_exchange(
    dates: pd.Index, reasons: NDArray[np.object_], ticker: str, exchange: Exchange
) -> None:
    """Raise InvalidPrices for rows of every day of the week where the exchange is closed at weekends."""
    at_weekends = (reasons == NOT_A_SESSION) & np.asarray(pd.DatetimeIndex(dates).day_of_week >= _SATURDAY)
    if at_weekends.sum() > _MOST_WEEKENDS * len(dates):
        raise InvalidPrices(
            f"{ticker}: {at_weekends.sum()} of {len(dates)} rows are on weekends, when {exchange.code} is closed; "
            "the ticker of a cryptocurrency is one such as BTC-USD"
        )


def _require_one_unit(close: pd.Series, ticker: str) -> None:
    if switch := unit_switch(close.to_numpy()):
        at, factor = switch
        change = f"×{factor:.0f}" if factor > 1 else f"÷{1 / factor:.0f}"
        raise InvalidPrices(
            f"{ticker}: the close changes {change} on {close.index[at]:%Y-%m-%d}, which looks like another unit (pence "
            "and pounds, or thousands read as decimals); expected one unit, or the split in a column splits"
        )


def data_version(prices: pd.DataFrame) -> str:
    """SHA-256 of index, column names and values, 16 hex digits; equal tables have equal versions on any machine."""
    digest = hashlib.sha256(prices.index.to_numpy("datetime64[ns]").astype("<i8").tobytes())
    for name in prices.columns:
        values = prices[name].to_numpy()
        digest.update(f"{name} {values.dtype.str}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def _numbers(raw: pd.DataFrame, ticker: str, exchange: Exchange) -> pd.DataFrame:
    """Return the columns used as floats, under naive midnights."""
    missing = [name for name in _REQUIRED if name not in raw]
    if missing:
        raise InvalidPrices(f"{ticker}: no column {', '.join(missing)}; there are {', '.join(map(str, raw.columns))}")
    adjusted = ["adj_close"] if "adj_close" in raw and raw["adj_close"].notna().any() else []
    try:
        columns = {name: raw[name].astype("float64").to_numpy() for name in (*_REQUIRED, *adjusted)}
        actions = {name: raw[name].astype("float64").to_numpy() for name in _ACTIONS if name in raw}
    except (TypeError, ValueError) as error:
        raise InvalidPrices(f"{ticker}: text where numbers belong ({error})") from error
    nothing = np.zeros(len(raw))
    columns |= {name: np.nan_to_num(actions.get(name, nothing), posinf=np.inf, neginf=-np.inf) for name in _ACTIONS}
    return pd.DataFrame(columns, _dates(raw.index, ticker, exchange))


def _dates(index: pd.Index, ticker: str, exchange: Exchange) -> pd.DatetimeIndex:
    if not isinstance(index, pd.DatetimeIndex):
        raise InvalidPrices(f"{ticker}: the index holds {index.dtype}; expected dates")
    local = index if index.tz is None else index.tz_convert(exchange.timezone).tz_localize(None)
    reachable = (local >= pd.Timestamp.min.ceil("D")) & (local <= pd.Timestamp.max.floor("D"))
    dates = local if reachable.all() else local.where(reachable)
    return pd.DatetimeIndex(dates, name="date").as_unit("ns").normalize()


def _actions(table: pd.DataFrame, reasons: NDArray[np.object_]) -> pd.DataFrame:
    """Return dividends and splits by date, also those of days with impossible prices."""
    values = columns_of(table, _ACTIONS)
    possible = (np.isfinite(values) & (values >= 0)).all(axis=1)
    has_date = ~np.isin(reasons, (NO_DATE, FUTURE, UNFINISHED, DUPLICATE))
    happened = possible & has_date & values.any(axis=1)
    return pd.DataFrame(values[happened], table.index[happened], columns=list(_ACTIONS)).sort_index()


def _closes_between(table: pd.DataFrame, reasons: NDArray[np.object_], rows: pd.Index) -> pd.Series:
    """Return the closes of days without a usable row that has no other fault than a price outside low and high."""
    high, low, close = columns_of(table, ("high", "low", "close")).T
    is_near = (close <= high * (1 + _NEAR)) & (close >= low * (1 - _NEAR))
    is_between = np.isin(reasons, (OPEN_OUTSIDE, CLOSE_OUTSIDE)) & is_near & ~table.index.isin(rows)
    closes: pd.Series = table["close"][is_between].sort_index(kind="stable")
    return closes


def _flat(values: Floats) -> Bools:
    """Find sessions without trading: no volume and one price. values: open, high, low, close, volume, (rows, 5).

    A table without any volume, as of funds and currencies, does not tell. There the close must not move either.
    """
    is_flat = (values[:, 4] == 0) & (values[:, :4] == values[:, :1]).all(axis=1)
    if not values[:, 4].any():
        is_flat &= np.append(False, values[1:, 3] == values[:-1, 3])
    return np.asarray(is_flat)


def _adjusted(rows: pd.DataFrame, adjustment: Adjustment, ticker: str) -> tuple[pd.DataFrame, int]:
    """Return adjusted rows, and the number of ranges widened to contain open and close."""
    values = columns_of(rows, PRICES)
    high, low = values.max(axis=1), values.min(axis=1)
    widened_ranges = int(((high > values[:, 1]) | (low < values[:, 2])).sum())
    values = np.column_stack([values[:, 0], high, low, values[:, 3]]) * adjustment.price[:, None]
    adjusted = pd.DataFrame(values, index=rows.index, columns=list(PRICES))
    adjusted["volume"] = rows["volume"].to_numpy() / adjustment.split
    adjusted["factor"] = adjustment.price
    if not (values.min() >= MIN_PRICE and max(values.max(), adjusted["volume"].max()) <= MAX_VALUE):
        raise InvalidPrices(f"{ticker}: splits and dividends multiply up beyond any price; check the actions")
    return adjusted, widened_ranges


def _one_row_per_session(
    adjusted: pd.DataFrame, flags: Mapping[str, Bools], exchange: Exchange, max_carry: int
) -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    """Fill short gaps from the row before them; return the table and all sessions without a row of their own.

    flags: columns of the table, False for filled rows

    A gap is filled whole or not at all: a gap filled in part would look like trading that stopped later.
    """
    sessions = sessions_with_rows(exchange, pd.DatetimeIndex(adjusted.index))
    own = np.asarray(sessions.isin(adjusted.index))
    gap = np.cumsum(own)  # a gap's sessions share the count of sessions before it
    lengths = np.bincount(gap[~own], minlength=int(gap[-1]) + 1)
    in_table = own | (lengths[gap] <= max_carry)
    source = gap[in_table] - 1
    is_carried = ~own[in_table]
    values = columns_of(adjusted, _REQUIRED)[source]
    values[is_carried, :3], values[is_carried, 4] = (
        values[is_carried, 3:4],
        0.0,
    )  # open, high and low at the close; no volume
    columns = {
        **dict(zip(_REQUIRED, values.T, strict=True)),
        "factor": adjusted["factor"].to_numpy()[source],
        "flat": _flat(values),
        "carried": is_carried,
        **{name: flag[source] & ~is_carried for name, flag in flags.items()},
    }
    return pd.DataFrame(columns, index=sessions[in_table]), sessions[~own]


def _repair_notes(placeholders: pd.Index, opens_filled: pd.Index) -> list[str]:
    notes = []
    if len(placeholders):
        notes.append(f"placeholders dropped on days without a session: {_days(placeholders.sort_values())}")
    if len(opens_filled):
        notes.append(f"missing opens filled with the close before them: {_days(opens_filled)}")
    return notes


def _dividend_notes(
    ex_dates: pd.Index, sessions: pd.Index, missing: pd.DatetimeIndex, closes_between: pd.Index
) -> list[str]:
    """Name the dividends that are divided by an earlier close, because the session before them has no valid one."""
    all_sessions = sessions.union(missing)
    ex_dates = ex_dates[ex_dates > all_sessions[0]]
    before = all_sessions[all_sessions.searchsorted(ex_dates) - 1]
    late = ex_dates[before.isin(missing) & ~before.isin(closes_between)].unique()
    return [f"dividends taken off an earlier close, the day before has none: {_days(late)}"] if len(late) else []


def _notes(prices: pd.DataFrame, quarantine: pd.DataFrame, missing: pd.DatetimeIndex) -> list[str]:
    notes = []
    if len(quarantine):
        notes.append(f"quarantined: {_tally(quarantine['reason'].to_numpy())}")
    if len(missing):
        notes.append(f"sessions missing: {_days(missing)}; carried forward: {int(prices['carried'].sum())}")
    if (still := standing_still(prices["close"])).any():
        notes.append(
            f"the price stood still: {counted(int(still.sum()), 'session')}, the last {_days(prices.index[still][-1:])}"
        )
    if prices["suspect"].any():
        notes.append(f"suspected source errors: {_days(prices.index[prices['suspect']])}")
    return notes


def _unexplained(close: pd.Series, suspect: Bools) -> list[str]:
    prices, days = close.to_numpy(), close.index
    return [
        f"unexplained jump kept on {days[at]:%Y-%m-%d}: {prices[at] / prices[at - 1] - 1:+.1%}"
        for at in unexplained_jumps(prices, suspect)
    ]


def _days(days: pd.Index, limit: int = 5) -> str:
    text = ", ".join(f"{day:%Y-%m-%d}" for day in days[:limit])
    return text + (f" and {len(days) - limit} more" if len(days) > limit else "")


def _tally(reasons: NDArray[np.object_]) -> str:
    """Return text such as `no date (12), low above high (3)`, most frequent first."""
    return ", ".join(f"{reason} ({count})" for reason, count in Counter(reasons.tolist()).most_common())
