"""Chart data of a ticker as JSON-ready columns, so that serving reads no tables.

Each function returns lists of one length by column name. Dates are ISO texts, unknown values None. Prices keep six
significant digits: a chart cannot show more.
"""

from typing import Any

import numpy as np
import pandas as pd

SESSIONS = 504  # about two years
TRADES = 20
POINTS = 500  # more than one curve needs on a screen
OVERLAYS = ("sma_50", "sma_200", "bb_lower", "bb_upper", "rsi_14")
"""The indicators that the price chart can show."""

Columns = dict[str, list[Any]]


def candles(prices: pd.DataFrame) -> Columns:
    """Return the last SESSIONS of cleaned prices: date, open, high, low, close, volume, adjusted as in training."""
    table = prices.iloc[-SESSIONS:].rename_axis("date").reset_index()
    return _columns(table, "date", "open", "high", "low", "close", "volume")


def overlays(features: pd.DataFrame) -> Columns:
    """Return the last SESSIONS of the feature table: date, and the OVERLAYS, unknown in their warm-up."""
    return _columns(features.iloc[-SESSIONS:].rename_axis("date").reset_index(), "date", *OVERLAYS)


def past_signals(signals: "pd.Series[Any]") -> Columns:
    """Return date and signal of each buy and sell among the last SESSIONS of walk-forward signals by session."""
    orders = signals.iloc[-SESSIONS:]
    orders = orders[orders.isin(["buy", "sell"])]
    return {"date": [day.date().isoformat() for day in orders.index], "signal": orders.tolist()}


def past_forecasts(forecasts: pd.DataFrame, horizon: int) -> Columns:
    """Return the last SESSIONS of walk-forward forecasts `horizon` ahead whose outcome is known.

    Columns: origin, target_date, close, forecast, lower, upper, actual.
    """
    past = forecasts[(forecasts["horizon"] == horizon) & forecasts["actual"].notna()]
    return _columns(
        past.iloc[-SESSIONS:], *("origin", "target_date"), *("close", "forecast", "lower", "upper", "actual")
    )


def equity_curve(equity: pd.DataFrame) -> Columns:
    """Return a backtest's account values as multiples of the first: date, strategy, buy_and_hold.

    At most POINTS rows, evenly spaced, the first and the last included.
    """
    rows = np.unique(np.linspace(0, len(equity) - 1, min(len(equity), POINTS)).round().astype(int))
    values = equity[["strategy", "buy_and_hold"]] / equity[["strategy", "buy_and_hold"]].iloc[0]
    return _columns(values.assign(date=equity["date"]).iloc[rows], "date", "strategy", "buy_and_hold")


def last_trades(trades: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the last TRADES trades of a backtest as rows, newest first. A trade that is open has no exit."""
    rows = trades.iloc[::-1].head(TRADES)
    names = ("entry_date", "entry_price", "exit_date", "exit_price", "quantity", "costs", "pnl")
    columns = _columns(rows, *names)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _columns(table: pd.DataFrame, *names: str) -> Columns:
    return {name: _values(table[name]) for name in names}


def _values(column: "pd.Series[Any]") -> list[Any]:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return [None if pd.isna(day) else day.date().isoformat() for day in column]
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in column]
