"""Shared matplotlib style of the plots in the Dagster UI, in the light colours of the page, and their output."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CARD, INK, MUTED, GRID = "#ffffff", "#1b1f24", "#5a626c", "#ebe8e0"
ACCENT, GOOD, BAD = "#17507a", "#1d7a5f", "#b2453a"

SESSIONS_SHOWN = 250  # about a year


def canvas(width: float = 10.6, height: float = 3.0, rows: Sequence[float] = (1,)) -> "tuple[Figure, list[Axes]]":
    """Return a figure of `width` x `height` inches with one axes per row of relative height `rows`, dates shared."""
    figure = _figure(width, height)
    axes_list = list(figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=list(rows))[:, 0])
    return figure, [_style(axes) for axes in axes_list]


def panels(columns: int, width: float = 10.6, height: float = 3.0) -> "tuple[Figure, list[Axes]]":
    """Return a figure of `width` x `height` inches with `columns` axes side by side, each with its own scales."""
    figure = _figure(width, height)
    return figure, [_style(axes) for axes in figure.subplots(1, columns, squeeze=False)[0]]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor=CARD)


def percent_axis(axes: "Axes", decimals: int = 0, of: Literal["x", "y"] = "y") -> None:
    """Format the fractions of an axis as percentages."""
    from matplotlib.ticker import PercentFormatter

    axis = axes.xaxis if of == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1, decimals=decimals))


def whole_percent_axes(axes: "Axes") -> None:
    """Format the fractions of both axes as percentages, with ticks at whole ones."""
    from matplotlib.ticker import MaxNLocator

    percent_axis(axes, of="x")
    percent_axis(axes, of="y")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))  # no step of 2.5


def date_axis(axes: "Axes") -> None:
    """Put few, short dates on the x axis."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # Three years have a tick each: by months they would need more than eight, and matplotlib would warn.
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


def legend(
    axes: "Axes",
    place: Literal["upper left", "lower left", "lower right", "best"],
    columns: int = 1,
    frame: bool = False,
) -> None:
    """Draw a legend at `place` ("best": where it hides least). `frame` it on filled areas."""
    axes.legend(
        loc=place,
        ncols=columns,
        fontsize=8.5,
        labelcolor=INK,
        frameon=frame,
        facecolor=CARD,
        edgecolor="none",
        framealpha=0.85,
    )


def add_headroom(axes: "Axes") -> None:
    """Extend the y axis upwards, to make room for a legend."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.17 * (high - low))


def empty_plot(figure: "Figure", axes: "Axes", text: str) -> "Figure":
    """Return the figure with a text in place of a plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=axes.transAxes)
    return figure


def to_png(figure: "Figure", dpi: int = 110) -> bytes:
    """Return the figure as PNG in light colours."""
    buffer = io.BytesIO()
    _fix_layout(figure)
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def to_small_png(figure: "Figure") -> bytes:
    """Return the figure as PNG of 64 colours, a fifth of `to_png`'s size, for Dagster's event log."""
    from PIL import Image

    image = Image.open(io.BytesIO(to_png(figure, dpi=80))).convert("RGB").quantize(64)
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _fix_layout(figure: "Figure") -> None:
    """Lay the figure out once: matplotlib would do it, and draw the figure, twice for each file."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def _style(axes: "Axes") -> "Axes":
    axes.set_facecolor("none")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=0)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(GRID)
    return axes
