"""Plots of the signal model: pure functions from its metrics and signals to matplotlib figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zenith_core.inference import SIGNALS
from zenith_pipelines.reports.plotting import (
    ACCENT,
    BAD,
    CARD,
    GOOD,
    INK,
    MUTED,
    SESSIONS_SHOWN,
    canvas,
    date_axis,
    empty_plot,
    legend,
    panels,
    percent_axis,
    whole_percent_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMPORTANCES_SHOWN = 12
_SIGNAL_COLOURS = {"sell": BAD, "hold": MUTED, "buy": GOOD}
_PALE = 0.55  # figures stay readable on the darkest square
_LARGEST_DOT = 90  # points squared, of the bin with most sessions


def confusion_matrix(metrics: dict[str, Any]) -> "Figure":
    """Plot counts of actual (rows) by most probable class (columns) of `signal_metrics`, shaded by share of the row."""
    figure, (axes,) = canvas(width=5.2, height=3)
    if not metrics["confusion"]:
        return empty_plot(figure, axes, "no labelled session yet")
    counts = np.array([[metrics["confusion"][label][likeliest] for likeliest in SIGNALS] for label in SIGNALS])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(counts.shape):
        square = ((column - 0.47, row - 0.45), 0.94, 0.9)
        _add_square(axes, *square, alpha=_PALE * float(shares[row, column]))
        text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color=INK, fontsize=9)
    axes.set(xlim=(-0.5, 2.5), ylim=(2.5, -0.5), xlabel="most probable class", ylabel="actual class")
    axes.set_xticks(range(3), SIGNALS)
    axes.set_yticks(range(3), SIGNALS)
    axes.grid(False)
    return figure


def class_probabilities(signals: pd.DataFrame) -> "Figure":
    """Plot the probabilities of sell, hold and buy over the last sessions of walk-forward `signals`, stacked."""
    figure, (axes,) = canvas(width=5.2, height=3)
    recent = signals.sort_values("date").iloc[-SESSIONS_SHOWN:]
    colours = [_SIGNAL_COLOURS[name] for name in SIGNALS]
    stack = [recent[name].to_numpy(dtype=float) for name in SIGNALS]
    dates = pd.DatetimeIndex(recent["date"]).to_numpy()
    axes.stackplot(dates, stack, labels=list(SIGNALS), colors=colours, alpha=0.75, linewidth=0)
    axes.set_ylim(0, 1)
    axes.margins(x=0)
    percent_axis(axes)
    date_axis(axes)
    legend(axes, "upper left", columns=3, frame=True)
    return figure


def reliability(metrics: Mapping[str, Any]) -> "Figure":
    """Plot observed frequency by predicted probability from `signal_metrics`' `reliability`, one panel per class.

    A dot is a bin, with the area of its sessions. The bars are 90 % sampling errors, as if sessions were independent.
    """
    tables = metrics.get("reliability") or {}
    if not any(tables.values()):
        figure, (axes,) = canvas(height=2)
        return empty_plot(figure, axes, "no labelled session yet")
    figure, axes_list = panels(len(SIGNALS), height=3.7)
    for axes, name in zip(axes_list, SIGNALS, strict=True):
        axes.set_xlabel("predicted probability")
        whole_percent_axes(axes)
        _draw_reliability(axes, name, pd.DataFrame(tables[name]))
    axes_list[0].set_ylabel("observed frequency")
    return figure


def _draw_reliability(axes: "Axes", name: str, bins: pd.DataFrame) -> None:
    colour = _SIGNAL_COLOURS[name]
    predicted, observed, rows = (bins[name].to_numpy(dtype=float) for name in ("predicted", "observed", "rows"))
    error = 1.645 * np.sqrt(observed * (1 - observed) / rows)
    axes.axline((0, 0), slope=1, color=MUTED, linewidth=1, linestyle="--")
    axes.axhline(float(np.average(observed, weights=rows)), color=MUTED, linewidth=0.8, linestyle=":")
    axes.errorbar(predicted, observed, yerr=error, fmt="none", ecolor=colour, elinewidth=1, alpha=0.5)
    area = _LARGEST_DOT * rows / rows.max()
    axes.scatter(predicted, observed, s=area, color=colour, edgecolor=CARD, linewidth=0.7, zorder=3)
    low = max(0.0, min(predicted.min(), (observed - error).min()) - 0.03)
    high = min(1.0, max(predicted.max(), (observed + error).max()) + 0.03)
    sizes = " to ".join(f"{size:,.0f}" for size in np.unique([rows.min(), rows.max()]))
    axes.set_title(f"{name}: {sizes} sessions per dot", fontsize=9.5, color=INK)
    axes.set(xlim=(low, high), ylim=(low, high))  # the same scale on both axes, so that the diagonal is one


def feature_importances(importances: Mapping[str, float]) -> "Figure":
    """Plot the largest of the signal model's `importances`, by feature; over all features they sum to 1."""
    figure, (axes,) = canvas(width=5.2, height=3.4)
    if not importances:
        return empty_plot(figure, axes, "no importances recorded")
    largest = sorted(importances.items(), key=lambda item: item[1])[-IMPORTANCES_SHOWN:]
    names, values = [name.replace("_", " ") for name, _ in largest], [value for _, value in largest]
    axes.barh(names, values, color=ACCENT, height=0.7)
    axes.axvline(1 / len(importances), color=MUTED, linewidth=1, linestyle="--", label="equal share")
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(False, axis="y")
    percent_axis(axes, of="x")
    legend(axes, "lower right")
    return figure


def _add_square(axes: "Axes", corner: tuple[float, float], width: float, height: float, alpha: float) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(corner, width, height, facecolor=ACCENT, alpha=alpha, linewidth=0))
