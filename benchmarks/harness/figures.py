"""Figures as data: the measured value, its bar, and their text and JSON.

Every figure is declared in bars.toml with its bar, under the script that measures it.
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

# The quantity that the bar applies to.
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

    what:     the measured quantity, in `unit`, for us and for `peer` (None: no comparison)
    judged:   a key of _JUDGED: the quantity that bar and aim apply to, in `judged_unit`
    better:   higher, lower or between (then bar and aim are pairs)
    bar, aim: None if nothing was promised
    source:   origin of the promise
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
        """x for a ratio, empty for a share, else the unit of the figure."""
        return {"ours/peer": "x", "peer/ours": "x", "1-ours/peer": ""}.get(self.judged, self.unit)

    def meets(self, value: float, limit: float | tuple[float, float]) -> bool:
        """Return True if a judged value is within the limit."""
        if isinstance(limit, tuple):
            return limit[0] <= value <= limit[1]
        return value >= limit if self.better == "higher" else value <= limit


@dataclass(frozen=True)
class Figure:
    """Measured values of the figure `name`: ours, and the peer's from the same run."""

    name: str
    ours: float
    peer: float | None = None


def judged_value(promise: Promise, figure: Figure) -> float:
    """Return the value that bar and aim apply to."""
    peer = float("nan") if figure.peer is None else figure.peer
    return _JUDGED[promise.judged](figure.ours, peer)


def verdict(promise: Promise, figure: Figure) -> str:
    """Return `aim met`, `bar met`, `MISSED`, or an empty string without a bar. NaN misses."""
    if promise.bar is None:
        return ""
    value = judged_value(promise, figure)
    if not promise.meets(value, promise.bar):
        return "MISSED"
    return "aim met" if promise.aim is not None and promise.meets(value, promise.aim) else "bar met"


@cache
def promises(path: Path = BARS) -> dict[str, dict[str, Promise]]:
    """Return all declared figures by benchmark and name."""
    tables = tomllib.loads(path.read_text())
    return {
        benchmark: {
            name: Promise(**{key: _frozen(value) for key, value in table.items()}) for name, table in of.items()
        }
        for benchmark, of in tables.items()
    }


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that `run_all.py` passes to each benchmark."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")


def report(
    benchmark: str, figures: Sequence[Figure], file: Path | None = None, series: Mapping[str, Any] | None = None
) -> None:
    """Print each figure beside its bar; write all to `file` as JSON. `series` is the data of the plots."""
    declarations = promises()[benchmark]
    print()
    for figure in figures:
        print(line(declarations[figure.name], figure))
    if file:
        document = {"figures": [vars(figure) for figure in figures], "series": dict(series or {})}
        file.write_text(json.dumps(document, indent=1) + "\n")


def line(promise: Promise, figure: Figure) -> str:
    """Format a figure as one line of text."""
    ours, peer, ratio, bar, aim = cells(promise, figure)
    beside = f"; {promise.peer}: {peer}" if peer else ""
    value = f"; {ratio}" if ratio else ""
    limits = f"; bar {bar}" + (f", aim {aim}" if aim else "") if bar else ""
    return f"{promise.what}: {ours}{beside}{value}{limits}  {verdict(promise, figure)}".rstrip()


def cells(promise: Promise, figure: Figure) -> tuple[str, str, str, str, str]:
    """Format ours, the peer's, the judged value if it is another number, bar and aim. Missing values are empty."""
    peer = "" if figure.peer is None else number(figure.peer, promise.unit)
    ratio = "" if promise.judged == "ours" or not peer else number(judged_value(promise, figure), promise.judged_unit)
    bar, aim = (_limit(promise, limit) for limit in (promise.bar, promise.aim))
    return number(figure.ours, promise.unit), peer, ratio, bar, aim


def number(value: float, unit: str) -> str:
    """Format with three significant digits and the unit; a share (unit "") as a percentage."""
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
