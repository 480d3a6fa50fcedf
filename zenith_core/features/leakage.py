"""The leakage certificate: recompute the features without the future, and without the distant past; nothing may change.

Prefixes: history cut short at a session must give the values it gave with all that came after. What looks ahead does
not: a centred window, a negative shift, statistics of the whole sample, values filled backwards.
Late starts: history begun later must give the same model inputs once the warm-up is over. What accumulates from the
first row does not: an OBV level, an expanding mean, an average whose warm-up was declared too short.

Every recomputation is of whole histories, by the very function that made the features; nothing is approximated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats

PREFIX_TOLERANCE = 1e-9  # the same operations in the same order: rounding at most, and in fact no difference
START_TOLERANCE = 1e-3  # exponential averages never forget wholly; a crash of 100 daily volatilities leaves 1e-4
_SPREAD = 8  # cuts evenly over the history
_JUMPS = 3  # largest moves, with a cut before and a cut after each
_NAMED = 5  # columns in the one line that sums it up
_SHOWN = 20  # offences that are told one by one

MakeFeatures = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Comparison:
    """A recomputation beside the features it should equal.

    difference: (rows, columns), in units of the largest absolute value of each column; infinite where one side only
                is NaN, 0 where both are
    """

    history: str
    expected: pd.DataFrame
    difference: Floats

    def violations(self, tolerance: float) -> list[dict[str, Any]]:
        """One entry for each column that differs: how many values, the worst of them and its session."""
        found = []
        for number in np.flatnonzero((self.difference > tolerance).any(axis=0)).tolist():
            column = self.difference[:, number]
            worst = int(column.argmax())
            found.append(
                {
                    "column": str(self.expected.columns[number]),
                    "history": self.history,
                    "values": int((column > tolerance).sum()),
                    "worst": _day(self.expected.index[worst]),
                    "difference": _finite(column[worst]),
                }
            )
        return found


def leakage_certificate(
    make: MakeFeatures,
    prices: pd.DataFrame,
    table: pd.DataFrame,
    *,
    inputs: Sequence[str],
    warm_up: int,
    feature_spec: str,
    data_version: str,
) -> dict[str, Any]:
    """Judge the features `table` that `make` made from `prices`, one row per session each; JSON-ready.

    All columns are compared on prefixes; the columns `inputs`, those that models see, also on late starts, from the
    row `warm_up` of each. Differences are in units of the largest absolute value of their column; None is a value
    that appeared or vanished. A history too short for any late start has not passed.
    `feature_spec` and `data_version` say what was judged, and are repeated in the certificate.
    """
    scale = table.abs().where(table.abs() < np.inf).max().clip(lower=PREFIX_TOLERANCE).fillna(1.0)
    prefixes = [_prefix(make, prices, table, scale, cut) for cut in prefix_lengths(prices["close"], warm_up)]
    seen = table[list(inputs)]
    late = [_late_start(make, prices, seen, scale, start, warm_up) for start in late_starts(prices["close"], warm_up)]
    offences = [o for c in prefixes for o in c.violations(PREFIX_TOLERANCE)]
    offences += [o for c in late for o in c.violations(START_TOLERANCE)]
    return {
        "passed": bool(late) and not offences,
        "feature_spec": feature_spec,
        "data_version": data_version,
        "sessions": len(table),
        "warm_up": warm_up,
        "prefixes": _figures(prefixes, PREFIX_TOLERANCE),
        "late_starts": _figures(late, START_TOLERANCE),
        "offending_columns": sorted({offence["column"] for offence in offences}),
        "offending": offences[:_SHOWN],
    }


def leakage_summary(certificate: Mapping[str, Any]) -> str:
    """The certificate in one line."""
    prefixes, late = certificate["prefixes"], certificate["late_starts"]
    columns = certificate["offending_columns"]
    tested = f"{len(prefixes['tested'])} histories cut short and {len(late['tested'])} begun late"
    if columns:
        more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
        return f"failed: {', '.join(columns[:_NAMED])}{more} changed with {tested}"
    if not late["tested"]:
        return f"failed: {certificate['sessions']} sessions are too few to begin the history later"
    return (
        f"passed: {tested}, {prefixes['values'] + late['values']:,} values, "
        f"largest difference {prefixes['largest_difference']:.0e} and {late['largest_difference']:.0e}"
    )


def prefix_lengths(close: pd.Series, warm_up: int) -> list[int]:
    """How many rows each prefix keeps, ascending.

    The first row alone, about the end of the warm-up, evenly over the rest, with the largest jumps next to come and
    just come, and near the end.
    """
    rows = len(close)
    early = [1, 2, warm_up // 2, warm_up, warm_up + 1]
    spread = np.linspace(warm_up, rows, _SPREAD + 2)[1:-1].astype(int).tolist()
    jumps = _jumps(close)
    wanted = {*early, *spread, *jumps, *(jump + 1 for jump in jumps), rows - 21, rows - 5, rows - 2, rows - 1}
    return sorted(cut for cut in wanted if 0 < cut < rows)


def late_starts(close: pd.Series, warm_up: int) -> list[int]:
    """The first row of each late start, ascending: the second row, the quarters, after the largest jump, the last
    that leaves 21 rows after its warm-up. Only those that leave a row.
    """
    rows = len(close)
    wanted = {1, rows // 4, rows // 2, 3 * rows // 4, *(jump + 1 for jump in _jumps(close)[:1]), rows - warm_up - 21}
    return sorted(start for start in wanted if 0 < start < rows - warm_up)


def _jumps(close: pd.Series) -> list[int]:
    """Rows of the largest moves of the close, the largest first."""
    moves = np.abs(np.diff(np.log(close.to_numpy(dtype=float))))
    return [1 + int(row) for row in np.argsort(-moves, kind="stable")[:_JUMPS]]


def _prefix(make: MakeFeatures, prices: pd.DataFrame, table: pd.DataFrame, scale: pd.Series, cut: int) -> Comparison:
    return _compared(f"until {_day(table.index[cut - 1])}", make(prices.iloc[:cut]), table.iloc[:cut], scale)


def _late_start(
    make: MakeFeatures, prices: pd.DataFrame, table: pd.DataFrame, scale: pd.Series, start: int, warm_up: int
) -> Comparison:
    again = make(prices.iloc[start:]).iloc[warm_up:]
    return _compared(f"from {_day(table.index[start])}", again, table.iloc[start + warm_up :], scale)


def _compared(history: str, again: pd.DataFrame, expected: pd.DataFrame, scale: pd.Series) -> Comparison:
    """A row or a column that is not there again counts as NaN."""
    ours = again.reindex(index=expected.index, columns=expected.columns).to_numpy(dtype=float)
    theirs = expected.to_numpy(dtype=float)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):  # infinity beside infinity
        difference = np.abs(ours - theirs) / scale[expected.columns].to_numpy()
    difference = np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference))
    return Comparison(history, expected, difference)


def _figures(comparisons: Sequence[Comparison], tolerance: float) -> dict[str, Any]:
    return {
        "tested": [comparison.history for comparison in comparisons],
        "rows": sum(len(comparison.expected) for comparison in comparisons),
        "values": sum(int(comparison.expected.notna().to_numpy().sum()) for comparison in comparisons),
        "tolerance": tolerance,
        "largest_difference": _finite(max((float(c.difference.max(initial=0.0)) for c in comparisons), default=0.0)),
    }


def _finite(figure: float) -> float | None:
    return float(figure) if np.isfinite(figure) else None


def _day(session: pd.Timestamp) -> str:
    return f"{session:%Y-%m-%d}"
