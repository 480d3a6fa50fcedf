"""What a page draws of a ticker, as columns ready for JSON, so that whoever shows it reads no table.

Each is a mapping of column names to lists of one length; dates are ISO texts, what is not known is None. Prices keep
six significant digits: nobody sees more of them in a chart.
"""

from typing import Any

import numpy as np
import pandas as pd

from zenith_core.evaluation.metrics import HEADLINE_HORIZON

SESSIONS = 504  # about two years
POINTS = 500  # more than a screen has columns for one curve

Columns = dict[str, list[Any]]


def candles(prices: pd.DataFrame) -> Columns:
    """The last SESSIONS of cleaned prices: date, open, high, low, close, adjusted as the models saw them."""
    return _columns(prices.iloc[-SESSIONS:].rename_axis("date").reset_index(), "date", "open", "high", "low", "close")


def past_forecasts(forecasts: pd.DataFrame) -> Columns:
    """Of a walk-forward forecast table what was said HEADLINE_HORIZON ahead, for the last SESSIONS that have come.

    origin, target_date, close, forecast, lower, upper, actual
    """
    come = forecasts[(forecasts["horizon"] == HEADLINE_HORIZON) & forecasts["actual"].notna()]
    return _columns(
        come.iloc[-SESSIONS:], *("origin", "target_date"), *("close", "forecast", "lower", "upper", "actual")
    )


def equity_curve(equity: pd.DataFrame) -> Columns:
    """A backtest's account values as multiples of the first one: date, strategy, buy_and_hold.

    At most POINTS of them, evenly spaced, the first and the last always there.
    """
    rows = np.unique(np.linspace(0, len(equity) - 1, min(len(equity), POINTS)).round().astype(int))
    values = equity[["strategy", "buy_and_hold"]] / equity[["strategy", "buy_and_hold"]].iloc[0]
    return _columns(values.assign(date=equity["date"]).iloc[rows], "date", "strategy", "buy_and_hold")


def _columns(table: pd.DataFrame, *names: str) -> Columns:
    return {name: _values(table[name]) for name in names}


def _values(column: "pd.Series[Any]") -> list[Any]:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return [day.date().isoformat() for day in column]
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in column]
