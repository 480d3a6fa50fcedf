"""Plots of prices, forecasts and equity: pure functions from tables to matplotlib figures, without pyplot's state."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zenith_core.backtesting.backtest import Backtest
from zenith_core.statistics.performance import drawdown
from zenith_pipelines.reports.plotting import (
    ACCENT,
    GOOD,
    INK,
    MUTED,
    SESSIONS_SHOWN,
    add_headroom,
    canvas,
    date_axis,
    legend,
    percent_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def price_fan(prices: pd.DataFrame, forecasts: pd.DataFrame, latest: pd.DataFrame, horizon: int = 5) -> "Figure":
    """Plot recent closes, the walk-forward forecasts made `horizon` sessions earlier, and the latest fan.

    prices: cleaned; forecasts: walk-forward (target_date, horizon, forecast, lower, upper);
    latest: date, price, lower, q25, q75, upper of future sessions. Both may be empty.
    """
    figure, (axes,) = canvas(height=4.2)
    closes = prices["close"].iloc[-SESSIONS_SHOWN:]
    past = forecasts[
        (forecasts["horizon"] == horizon) & forecasts["target_date"].between(closes.index[0], closes.index[-1])
    ]
    past = past.sort_values("target_date")
    dates = past["target_date"].to_numpy()
    axes.fill_between(dates, past["lower"], past["upper"], color=ACCENT, alpha=0.13, linewidth=0)
    axes.plot(
        dates, past["forecast"], color=ACCENT, linewidth=1, label=f"forecast {horizon} sessions earlier, 90 % band"
    )
    axes.plot(closes.index.to_numpy(), closes, color=INK, linewidth=1.4, label="close")
    if len(latest):
        _draw_latest(axes, closes, latest)
    axes.yaxis.tick_right()  # beside the newest prices, which a narrow screen shows first
    add_headroom(axes)
    legend(axes, "upper left", frame=True)
    date_axis(axes)
    return figure


def _draw_latest(axes: "Axes", closes: pd.Series, latest: pd.DataFrame) -> None:
    """Draw the fan, which starts at the last close."""
    dates = np.concatenate([closes.index[-1:].to_numpy(), pd.DatetimeIndex(latest["date"]).to_numpy()])
    fan = {name: np.append(closes.iloc[-1], latest[name]) for name in ("lower", "q25", "price", "q75", "upper")}
    axes.fill_between(dates, fan["lower"], fan["upper"], color=GOOD, alpha=0.2, linewidth=0)
    axes.fill_between(dates, fan["q25"], fan["q75"], color=GOOD, alpha=0.25, linewidth=0)
    label = f"forecast of the next {len(latest)} sessions, 50 and 90 % bands"
    axes.plot(dates, fan["price"], color=GOOD, linewidth=1.6, label=label)
    axes.axvline(dates[0], color=MUTED, linewidth=0.8, linestyle=":")


def skill_by_horizon(metrics: dict[str, Any]) -> "Figure":
    """Plot the skill against the random walk by horizon, of `price_metrics`; significant horizons stand out."""
    figure, (axes,) = canvas(width=5.2, height=3)
    horizons, values = _by_horizon(metrics, "skill")
    beats = np.array([bool(metrics["by_horizon"][str(horizon)]["beats_naive"]) for horizon in horizons])
    for bars, colour, name in ((~beats, MUTED, "no better than no change"), (beats, GOOD, "better, p < 0.05")):
        if bars.any():
            axes.bar(horizons[bars], np.nan_to_num(values[bars]), color=colour, label=name)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("sessions ahead")
    axes.margins(y=0.35)
    percent_axis(axes, decimals=1)
    legend(axes, "best")
    return figure


def equity_and_drawdown(backtest: Backtest, name: str) -> "Figure":
    """Plot the equity of strategy `name` and of buy-and-hold, as multiples of the capital, and their drawdowns."""
    figure, (top, bottom) = canvas(width=5.2, height=4.2, rows=(2, 1))
    dates = pd.DatetimeIndex(backtest.equity["date"]).to_numpy()
    curves = (("buy_and_hold", "buy and hold", MUTED), ("strategy", name, ACCENT))
    for column, label, colour in curves:
        equity = backtest.equity[column].to_numpy(dtype=float)
        top.plot(dates, equity / equity[0], color=colour, linewidth=1.3, label=label)
        bottom.fill_between(dates, drawdown(equity), color=colour, alpha=0.3, linewidth=0)
        bottom.plot(dates, drawdown(equity), color=colour, linewidth=0.8)
    top.axhline(1, color=MUTED, linewidth=0.8, linestyle=":")
    top.set_ylabel("multiple of the capital")
    legend(top, "upper left")
    bottom.set_ylabel("drawdown")
    percent_axis(bottom)
    date_axis(bottom)
    return figure


def _by_horizon(metrics: Mapping[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    horizons = np.array(sorted(int(text) for text in metrics["by_horizon"]))
    values = [metrics["by_horizon"][str(horizon)][name] for horizon in horizons]
    return horizons, np.array([np.nan if value is None else value for value in values])
