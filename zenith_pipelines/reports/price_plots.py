"""Plots of the market: pure functions from prices, indicators and signals to matplotlib figures."""

from typing import TYPE_CHECKING

import pandas as pd

from zenith_pipelines.reports.plotting import (
    ACCENT,
    BAD,
    GOOD,
    INK,
    MUTED,
    SESSIONS_SHOWN,
    add_headroom,
    canvas,
    date_axis,
    legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FLAGS = {"suspect": BAD, "flat": MUTED, "carried": ACCENT}
_MARKERS = {"buy": ("^", GOOD), "sell": ("v", BAD)}


def close_and_volume(prices: pd.DataFrame) -> "Figure":
    """Plot the adjusted closes of `cleaned_prices` on a log scale with flagged sessions marked, and their volume."""
    from matplotlib.ticker import EngFormatter

    figure, (top, bottom) = canvas(height=4.2, rows=(3, 1))
    dates = pd.DatetimeIndex(prices.index).to_numpy()
    top.plot(dates, prices["close"], color=INK, linewidth=1.1, label="adjusted close")
    for flag, colour in _FLAGS.items():
        flags = prices[flag].to_numpy(dtype=bool)
        if flags.any():
            label = f"{flag}: {flags.sum():,}"
            top.scatter(dates[flags], prices["close"].to_numpy()[flags], s=14, color=colour, label=label, zorder=3)
    _log_scale(top)
    legend(top, "upper left", frame=True)
    bottom.fill_between(dates, prices["volume"].to_numpy(dtype=float), color=MUTED, alpha=0.6, linewidth=0)
    bottom.set_ylabel("volume")
    bottom.yaxis.set_major_formatter(EngFormatter(sep=""))
    date_axis(bottom)
    return figure


def bands_and_rsi(features: pd.DataFrame) -> "Figure":
    """Plot a year of `indicator_features`: closes, Bollinger Bands and two moving averages, with the RSI below."""
    figure, (top, bottom) = canvas(height=4.2, rows=(3, 1))
    recent = features.iloc[-SESSIONS_SHOWN:]
    dates = pd.DatetimeIndex(recent.index).to_numpy()
    top.fill_between(
        dates, recent["bb_lower"], recent["bb_upper"], color=ACCENT, alpha=0.13, linewidth=0, label="Bollinger Bands"
    )
    for column, label, colour in (("sma_50", "SMA 50", ACCENT), ("sma_200", "SMA 200", BAD), ("close", "close", INK)):
        top.plot(dates, recent[column], color=colour, linewidth=1.2, label=label)
    legend(top, "upper left", columns=4, frame=True)
    bottom.plot(dates, recent["rsi_14"], color=INK, linewidth=1.1)
    for level in (30, 70):
        bottom.axhline(level, color=MUTED, linewidth=0.8, linestyle="--")
    bottom.set(ylim=(0, 100), ylabel="RSI 14")
    date_axis(bottom)
    return figure


def price_with_signals(prices: pd.DataFrame, signals: "pd.Series[str]") -> "Figure":
    """Plot the last year's closes, with the buy and sell of the walk-forward `signals` (by session)."""
    figure, (axes,) = canvas(height=3.6)
    closes = prices["close"].iloc[-SESSIONS_SHOWN:]
    axes.plot(pd.DatetimeIndex(closes.index).to_numpy(), closes, color=INK, linewidth=1.2, label="close")
    recent = signals.reindex(closes.index)
    for name, (marker, colour) in _MARKERS.items():
        days = closes[(recent == name).to_numpy()]
        label = f"{name}: {len(days)} of {recent.notna().sum()} sessions"
        axes.scatter(pd.DatetimeIndex(days.index).to_numpy(), days, marker=marker, s=30, color=colour, label=label)
    add_headroom(axes)
    legend(axes, "upper left", columns=3, frame=True)
    date_axis(axes)
    return figure


def _log_scale(axes: "Axes") -> None:
    """Use a log scale, on which equal distances are equal returns, with plain numbers as ticks."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=[1.0, 2.0, 5.0]))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())
