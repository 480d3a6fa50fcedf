"""The leakage certificate: recompute features without the future, or without the distant past, and compare.

Prefixes: features of a history that ends at an earlier session must equal those of the whole history. Look-ahead
breaks this: a centred window, a negative shift, statistics of the whole sample, values filled backwards.
Late starts: a history that starts later must give the same model inputs after the warm-up. Accumulation from the first
row breaks this: an OBV level, an expanding mean, an average whose declared warm-up is too short.

Every recomputation covers whole histories, by the same function that made the features; nothing is approximated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.prices.cleaning import data_version as version_of

PREFIX_TOLERANCE = 1e-9  # the same operations in the same order: rounding at most, and in fact no difference
RENEWED_AFTER = timedelta(days=7)
START_TOLERANCE = 1e-3  # exponential averages never forget completely; a crash of 100 daily volatilities leaves 1e-4
_SPREAD = 8  # cuts evenly over the history
_JUMPS = 3  # largest moves, with a cut before and a cut after each
_NAMED = 5  # columns named in the summary line
_SHOWN = 20  # violations listed one by one

MakeFeatures = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Comparison:
    """A recomputation beside the features it should equal.

    difference: (rows, columns), in units of the largest absolute value of each column; infinite where only one side
                is NaN, 0 where both are
    """

    history: str
    expected: pd.DataFrame
    difference: Floats

    def violations(self, tolerance: float) -> list[dict[str, Any]]:
        """Return an entry for each column that differs: the number of values, the worst one and its session."""
        entries = []
        for number in np.flatnonzero((self.difference > tolerance).any(axis=0)).tolist():
            column = self.difference[:, number]
            worst = int(column.argmax())
            entries.append(
                {
                    "column": str(self.expected.columns[number]),
                    "history": self.history,
                    "values": int((column > tolerance).sum()),
                    "worst": _day(self.expected.index[worst]),
                    "difference": _finite(column[worst]),
                }
            )
        return entries


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
    """Check the features `table` that `make` made from `prices`, one row per session each; JSON-ready.

    All columns are compared on prefixes; the columns `inputs`, those that models see, also on late starts, from the
    row `warm_up` of each. Differences are in units of the largest absolute value of their column; None is a value
    that appeared or vanished. A history too short for any late start fails.
    `feature_spec` and `data_version` identify the features and the data, and are copied into the certificate.
    """
    scale = table.abs().where(table.abs() < np.inf).max().clip(lower=PREFIX_TOLERANCE).fillna(1.0)
    prefixes = [_prefix(make, prices, table, scale, cut) for cut in prefix_lengths(prices["close"], warm_up)]
    model_inputs = table[list(inputs)]
    late = [
        _late_start(make, prices, model_inputs, scale, start, warm_up)
        for start in late_starts(prices["close"], warm_up)
    ]
    violations = [o for c in prefixes for o in c.violations(PREFIX_TOLERANCE)]
    violations += [o for c in late for o in c.violations(START_TOLERANCE)]
    return {
        "passed": bool(late) and not violations,
        "feature_spec": feature_spec,
        "data_version": data_version,
        "sessions": len(table),
        "warm_up": warm_up,
        "prefixes": _figures(prefixes, PREFIX_TOLERANCE),
        "late_starts": _figures(late, START_TOLERANCE),
        "offending_columns": sorted({violation["column"] for violation in violations}),
        "offending": violations[:_SHOWN],
    }


def holds_for(
    certificate: Mapping[str, Any], prices: pd.DataFrame, *, feature_spec: str, code: str, now: datetime
) -> bool:
    """Return True if a stored certificate need not be made again for `prices`.

    It passed less than RENEWED_AFTER ago, for these features and this `code`, on prices that have only grown since: a
    session that was restated, repaired or adjusted ends it.
    """
    if not certificate.get("passed") or (certificate["feature_spec"], certificate.get("code")) != (feature_spec, code):
        return False
    age = now - datetime.fromisoformat(certificate["checked_at"])
    earlier = prices.iloc[: certificate["sessions"]]
    return timedelta() <= age < RENEWED_AFTER and version_of(earlier) == certificate["data_version"]


def leakage_summary(certificate: Mapping[str, Any]) -> str:
    """Return the certificate in one line."""
    prefixes, late = certificate["prefixes"], certificate["late_starts"]
    columns = certificate["offending_columns"]
    histories = f"{len(prefixes['tested'])} histories cut short and {len(late['tested'])} begun late"
    if columns:
        more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
        return f"failed: {', '.join(columns[:_NAMED])}{more} changed with {histories}{_first(certificate)}"
    if not late["tested"]:
        return f"failed: {certificate['sessions']} sessions are too few to begin the history later"
    return (
        f"passed: {histories}, {prefixes['values'] + late['values']:,} values, "
        f"largest difference {prefixes['largest_difference']:.0e} and {late['largest_difference']:.0e}"
    )


def _first(certificate: Mapping[str, Any]) -> str:
    """Return the first difference, column, session and size; nothing where a certificate of 0.1.0 names none."""
    if not certificate.get("offending"):
        return ""
    leak = certificate["offending"][0]
    size = (
        "appears or vanishes"
        if leak["difference"] is None
        else f"differs by {leak['difference']:.2g} of its largest value"
    )
    return f"; {leak['column']} on {leak['worst']} {size}, history {leak['history']}"


def prefix_lengths(close: pd.Series, warm_up: int) -> list[int]:
    """Return the number of rows of each prefix, ascending.

    The first row alone, around the end of the warm-up, evenly over the rest, just before and just after the largest
    jumps, and near the end.
    """
    rows = len(close)
    early = [1, 2, warm_up // 2, warm_up, warm_up + 1]
    spread = np.linspace(warm_up, rows, _SPREAD + 2)[1:-1].astype(int).tolist()
    jumps = _jumps(close)
    lengths = {*early, *spread, *jumps, *(jump + 1 for jump in jumps), rows - 21, rows - 5, rows - 2, rows - 1}
    return sorted(cut for cut in lengths if 0 < cut < rows)


def late_starts(close: pd.Series, warm_up: int) -> list[int]:
    """Return the first row of each late start, ascending.

    The second row, the quarters, after the largest jump, and 21 rows and a warm-up before the end; only those that
    leave a row after the warm-up.
    """
    rows = len(close)
    starts = {1, rows // 4, rows // 2, 3 * rows // 4, *(jump + 1 for jump in _jumps(close)[:1]), rows - warm_up - 21}
    return sorted(start for start in starts if 0 < start < rows - warm_up)


def _jumps(close: pd.Series) -> list[int]:
    """Return the rows of the largest moves of the close, the largest first."""
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
    """Compare tables; a row or a column that `again` lacks counts as NaN."""
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
