"""Rules that reject impossible raw rows. A rejected row is not dropped: it goes to quarantine with its reason."""

from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.arrays import Bools, columns_of
from zenith_core.market.exchanges import Exchange
from zenith_core.market.sessions import last_closed_session, sessions_with_rows

# Sources round to cents and mix adjusted with unadjusted fields, so a close may be slightly outside its range.
RANGE_TOLERANCE = 0.005
MIN_PRICE, MAX_VALUE = 1e-12, 1e18  # wide enough for hyperinflation, narrow enough that no ratio overflows

NO_DATE = "no date"
FUTURE = "date in the future"
UNFINISHED = "session not finished"
NOT_A_SESSION = "not a session of the exchange"
PLACEHOLDER = "placeholder on a day without a session"
DUPLICATE = "duplicate date, the last usable row is kept"
OPEN_OUTSIDE = "open outside low and high"
CLOSE_OUTSIDE = "close outside low and high"


def rejection_reasons(table: pd.DataFrame, exchange: Exchange, now: datetime) -> NDArray[np.object_]:
    """Return the reason why each row is impossible, (rows,); "" for possible rows.

    Sources fill holidays with rows that repeat a price without volume, or have no price at all: a PLACEHOLDER.
    table: index of naive midnights or NaT; float columns open, high, low, close, volume, dividends, splits and,
           if used, adj_close
    """
    conditions = {**_wrong_dates(table.index, exchange, now), **_wrong_values(table)}
    reasons = np.full(len(table), "", dtype=object)
    for reason, wrong in reversed(conditions.items()):  # a row has the first reason that holds
        reasons[wrong] = reason
    closed = np.flatnonzero(reasons == NOT_A_SESSION)
    reasons[closed[_is_empty(table.iloc[closed])]] = PLACEHOLDER
    usable = np.flatnonzero(reasons == "")
    reasons[usable[table.index[usable].duplicated(keep="last")]] = DUPLICATE
    return reasons


def _wrong_dates(dates: pd.Index, exchange: Exchange, now: datetime) -> dict[str, Bools]:
    last_closed = pd.Timestamp(last_closed_session(exchange, now))
    today = pd.Timestamp(now).tz_convert(exchange.timezone).tz_localize(None).normalize()
    past = dates[dates.notna() & (dates <= last_closed)]
    sessions = sessions_with_rows(exchange, pd.DatetimeIndex(past))
    return {
        NO_DATE: np.asarray(dates.isna()),
        FUTURE: np.asarray(dates > today),
        UNFINISHED: np.asarray(dates > last_closed),
        NOT_A_SESSION: ~np.asarray(dates.isin(sessions)),
    }


def _is_empty(table: pd.DataFrame) -> Bools:
    """Find rows without trading: no volume, and one price or none."""
    values = columns_of(table, ("open", "high", "low", "close", "volume"))
    has_no_volume = np.isnan(values[:, 4]) | (values[:, 4] == 0)
    prices = np.where(np.isnan(values[:, :4]), 0.0, values[:, :4])
    return np.asarray(has_no_volume & (prices == prices[:, :1]).all(axis=1))


def _wrong_values(table: pd.DataFrame) -> dict[str, Bools]:
    open_, high, low, close, volume = columns_of(table, ("open", "high", "low", "close", "volume")).T
    wrong = {}
    for name in ("open", "high", "low", "close", *(["adj_close"] if "adj_close" in table else [])):
        values = table[name].to_numpy()
        wrong[f"{name} is missing"] = np.isnan(values)
        wrong[f"{name} is infinite"] = np.isinf(values)
        wrong[f"{name} is not positive"] = values <= 0
        wrong[f"{name} is beyond any price"] = (values < MIN_PRICE) | (values > MAX_VALUE)
    top, bottom = high * (1 + RANGE_TOLERANCE), low * (1 - RANGE_TOLERANCE)
    dividends, splits = table["dividends"].to_numpy(), table["splits"].to_numpy()
    return wrong | {
        "low above high": low > high,
        OPEN_OUTSIDE: (open_ > top) | (open_ < bottom),
        CLOSE_OUTSIDE: (close > top) | (close < bottom),
        "volume is missing": np.isnan(volume),
        "volume is infinite": np.isinf(volume),
        "volume is negative": volume < 0,
        "volume is beyond any": volume > MAX_VALUE,
        "impossible dividend or split": ~(
            np.isfinite(dividends) & np.isfinite(splits) & (dividends >= 0) & (splits >= 0)
        ),
    }
