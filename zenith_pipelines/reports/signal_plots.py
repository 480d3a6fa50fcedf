"""Plots of the signal model: pure functions from its metrics and signals to matplotlib figures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from zenith_core.inference import SIGNALS
from zenith_pipelines.reports.plotting import (
    BAD,
    CARD,
    GOOD,
    INK,
    MUTED,
    canvas,
    empty_plot,
    panels,
    whole_percent_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMPORTANCES_SHOWN = 12
_SIGNAL_COLOURS = {"sell": BAD, "hold": MUTED, "buy": GOOD}
_PALE = 0.55  # figures stay readable on the darkest square
_LARGEST_DOT = 90  # points squared, of the bin with most sessions


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
