"""Figures as data: what was measured, the bar that it is held to, and the lines and the JSON that both become.

Every figure is declared in bars.toml, under the script that measures it, with what was promised of it.
"""

import argparse
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

BARS = Path(__file__).parents[1] / "bars.toml"

# What of a figure the bar is on.
_JUDGED: Mapping[str, Callable[[float, float], float]] = {
    "ours": lambda ours, peer: ours,
    "ours/peer": lambda ours, peer: ours / peer,
    "peer/ours": lambda ours, peer: peer / ours,
    "ours-peer": lambda ours, peer: ours - peer,
    "1-ours/peer": lambda ours, peer: 1 - ours / peer,
}


@dataclass(frozen=True)
class Promise:
    """A figure as bars.toml declares it.

    what:     what is measured, in `unit`, for us and for `peer` (None: there is nobody to compare with)
    judged:   a key of _JUDGED: what bar and aim are on; that has the unit `judged_unit`
    better:   higher, lower or between (then bar and aim are pairs)
    bar, aim: None where none was promised
    source:   who promised it
    """

    what: str
    unit: str
    peer: str | None = None
    judged: str = "ours"
    better: str = "lower"
    bar: float | tuple[float, float] | None = None
    aim: float | tuple[float, float] | None = None
    source: str | None = None

    @property
    def judged_unit(self) -> str:
        """x for a ratio, a bare number for a share, else the figure's own."""
        return {"ours/peer": "x", "peer/ours": "x", "1-ours/peer": ""}.get(self.judged, self.unit)

    def meets(self, value: float, limit: float | tuple[float, float]) -> bool:
        """Whether a judged value is on the right side of a limit."""
        if isinstance(limit, tuple):
            return limit[0] <= value <= limit[1]
        return value >= limit if self.better == "higher" else value <= limit


@dataclass(frozen=True)
class Figure:
    """What was measured of the figure `name`: ours, and the peer's in the same run."""

    name: str
    ours: float
    peer: float | None = None


def judged_value(promise: Promise, figure: Figure) -> float:
    """What bar and aim are on."""
    peer = float("nan") if figure.peer is None else figure.peer
    return _JUDGED[promise.judged](figure.ours, peer)


def verdict(promise: Promise, figure: Figure) -> str:
    """`aim met`, `bar met`, `MISSED`, or nothing where nothing was promised. NaN misses."""
    if promise.bar is None:
        return ""
    value = judged_value(promise, figure)
    if not promise.meets(value, promise.bar):
        return "MISSED"
    return "aim met" if promise.aim is not None and promise.meets(value, promise.aim) else "bar met"


@cache
def promises(path: Path = BARS) -> dict[str, dict[str, Promise]]:
    """All declared figures by benchmark and name."""
    declared = tomllib.loads(path.read_text())
    return {
        benchmark: {
            name: Promise(**{key: _frozen(value) for key, value in given.items()}) for name, given in of.items()
        }
        for benchmark, of in declared.items()
    }


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that `run_all.py` gives to each benchmark."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")


def report(
    benchmark: str, figures: Sequence[Figure], file: Path | None = None, series: Mapping[str, Any] | None = None
) -> None:
    """Print each figure beside its bar, and write all as JSON if a file is named. Plots are drawn of `series`."""
    known = promises()[benchmark]
    print()
    for figure in figures:
        print(line(known[figure.name], figure))
    if file:
        document = {"figures": [vars(figure) for figure in figures], "series": dict(series or {})}
        file.write_text(json.dumps(document, indent=1) + "\n")


def line(promise: Promise, figure: Figure) -> str:
    """One figure for people."""
    ours, peer, judged, bar, aim = cells(promise, figure)
    beside = f"; {promise.peer}: {peer}" if peer else ""
    value = f"; {judged}" if judged else ""
    held = f"; bar {bar}" + (f", aim {aim}" if aim else "") if bar else ""
    return f"{promise.what}: {ours}{beside}{value}{held}  {verdict(promise, figure)}".rstrip()


def cells(promise: Promise, figure: Figure) -> tuple[str, str, str, str, str]:
    """Ours, the peer's, what is judged if that is another number, bar and aim: as text, empty where there is none."""
    peer = "" if figure.peer is None else number(figure.peer, promise.unit)
    judged = "" if promise.judged == "ours" or not peer else number(judged_value(promise, figure), promise.judged_unit)
    bar, aim = (_limit(promise, limit) for limit in (promise.bar, promise.aim))
    return number(figure.ours, promise.unit), peer, judged, bar, aim


def number(value: float, unit: str) -> str:
    """Three digits that count, and the unit; shares (unit "") as per cent."""
    if unit == "":
        return f"{100 * value:.1f} %"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    text = f"{value:,.{digits}f}"
    return f"{text}x" if unit == "x" else f"{text} {unit}"


def _limit(promise: Promise, limit: float | tuple[float, float] | None) -> str:
    if limit is None:
        return ""
    if isinstance(limit, tuple):
        return f"{number(limit[0], promise.judged_unit)} to {number(limit[1], promise.judged_unit)}"
    sign = "≥" if promise.better == "higher" else "≤"
    return f"{sign} {number(limit, promise.judged_unit)}"


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
