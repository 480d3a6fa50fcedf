"""Draw the plots of docs/pictures from the JSON of run_all.py; plots without data do not change.

Lines differ in colour (the colour-blind safe palette of Okabe and Ito), marker and dash.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
STYLES = (("#0072B2", "o", "-"), ("#D55E00", "s", "--"), ("#009E73", "^", "-."), ("#000000", "D", ":"))
MB = 1e6


def features(axes: Sequence["Axes"], series: Mapping[str, Any]) -> None:
    """Plot milliseconds by sessions."""
    names = {"ta": "ta's classes", "TA-Lib": "TA-Lib (C)", "indicators": "our indicators"}
    names["features"] = "ours, with the models' inputs"
    lines(axes[0], series["sessions"], {names[name]: ms for name, ms in series["ms"].items()})
    axes[0].set_yscale("log", nonpositive="mask")
    axes[0].set(title="Indicators of one ticker", xlabel="sessions", ylabel="ms on one core", ylim=(0.1, 1000))


def serving_scaling(axes: Sequence["Axes"], series: Mapping[str, Any]) -> None:
    """Plot requests per second by connections, and memory by tickers."""
    lines(axes[0], series["connections"], series["rates"])
    axes[0].set_xscale("log", base=2)
    axes[0].set(title="One service process", xlabel="connections", ylabel="requests/s", xticks=series["connections"])
    axes[0].set_xticklabels(series["connections"])
    lines(axes[1], series["tickers"], {"resident memory": series["mb"]})
    axes[1].set(title="Memory, two models a ticker", xlabel="tickers asked for", ylabel="MB")


def capacity(axes: Sequence["Axes"], series: Mapping[str, Any]) -> None:
    """Plot time and bytes of a ZENITH_HOME by tickers."""
    first = [batch for batch in series["batches"] if batch["kind"] == "first"]
    counts = [batch["tickers"] for batch in first]
    times = {
        "elapsed, two at a time": running([batch["seconds"] / 60 for batch in first]),
        "processors": running([batch["cpu_seconds"] / 60 for batch in first]),
    }
    lines(axes[0], counts, times)
    axes[0].set(title="Fetching, training, testing, registering", xlabel="tickers", ylabel="minutes, all so far")
    axes[0].set_xticks(counts)
    kinds = {kind: [batch["bytes"][kind]["bytes"] / MB for batch in first] for kind in first[0]["bytes"]}
    largest = sorted(kinds, key=lambda kind: -kinds[kind][-1])
    lines(axes[1], counts, {kind: kinds[kind] for kind in largest[: len(STYLES)]})
    axes[1].set(title="Disk space", xlabel="tickers", ylabel="MB")
    axes[1].set_xticks(counts)


def claims(axes: Sequence["Axes"], series: Mapping[str, Any]) -> None:
    """Plot edges found and false claims by weeks, of our rule, of the oracle bettor and of a test at each look."""
    names = {
        "ours": "e-values",
        "oracle": "the same, oracle bettor",
        "today": "p < 0.05 each week",
    }
    for panel, count in zip(axes, ("edges", "false"), strict=True):
        for (rule, name), (colour, _, dash) in zip(names.items(), STYLES, strict=False):
            panel.plot(series["weeks"], series[rule][count], label=name, color=colour, linestyle=dash)
        panel.grid(alpha=0.3)
        panel.set(xlabel="weekly looks", xlim=(0, None), ylim=(0, None))
    axes[0].set(title="Edges found, of 100 in 1,000 tickers", ylabel="tickers claimed")
    axes[1].set(title="False claims, of 900 without an edge", ylabel="tickers claimed")
    axes[1].legend(frameon=False, fontsize=9)


def running(values: Sequence[float]) -> list[float]:
    """Return cumulative sums."""
    return [sum(values[: end + 1]) for end in range(len(values))]


def lines(axes: "Axes", x: Sequence[float], by_name: Mapping[str, Sequence[float]]) -> None:
    """Plot a line for each name."""
    for (name, y), (colour, marker, dash) in zip(by_name.items(), STYLES, strict=False):
        axes.plot(x, y, label=name, color=colour, marker=marker, linestyle=dash, markersize=5)
    axes.grid(alpha=0.3)
    axes.set_ylim(bottom=0)
    if len(by_name) > 1:
        axes.legend(frameon=False, fontsize=9)


PLOTS: dict[str, tuple[str, int, Callable[[Sequence["Axes"], Mapping[str, Any]], None]]] = {
    "features": ("scaling-features", 1, features),
    "serving_scaling": ("scaling-serving", 2, serving_scaling),
    "capacity": ("scaling-capacity", 2, capacity),
    "claims": ("claims", 2, claims),
}
"""By benchmark: the name of the picture, its number of panels, and the function that draws it."""


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw every plot that has data; return the paths."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["font.size"] = 10
    from matplotlib import pyplot

    pictures = []
    for name, (picture, panels, plot) in PLOTS.items():
        series = results["benchmarks"].get(name, {}).get("series")
        if not series:
            continue
        figure, axes = pyplot.subplots(1, panels, figsize=(5.2 * panels, 3.6), squeeze=False, layout="constrained")
        plot(axes[0], series)
        pictures.append(folder / f"{picture}.png")
        figure.savefig(pictures[-1], dpi=110, metadata={"Software": None})
        pyplot.close(figure)
    return pictures


def main() -> None:
    """Draw the given results, or the committed ones."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results" / "bench.json"
    for path in draw(json.loads(file.read_text()), PICTURES):
        print(f"drawn: {path}")


if __name__ == "__main__":
    main()
