"""Two models scored on the same rows, which neither had seen: whose loss is smaller, and by more than chance?

Forecasts are compared as growth factors of the origin's close, since prices may have been restated between two
models: a later dividend rescales all adjusted closes before it. What came is what the candidate's evidence, the newer
one, says.
"""

from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.inference import QUANTILES, SIGNALS
from zenith_core.statistics.diebold_mariano import loss_test
from zenith_core.statistics.performance import finite

COVERAGE_HORIZONS = (1, 5, 20)  # sessions
LEVEL = QUANTILES[-1] - QUANTILES[0]
"""The share of outcomes that an interval should hold."""


def price_pairs(candidate: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    """The forecasts that both have and whose outcome is known, from two forecast tables.

    origin, horizon, and for each of candidate and champion: error_…, (forecast - actual) / close at the origin, a
    fraction; inside_…, whether the actual lies within its interval. By origin, then horizon.
    """
    known = candidate[candidate["actual"].notna()]
    pairs = known.merge(champion, on=["origin", "horizon"], suffixes=("", "_other")).sort_values(["origin", "horizon"])
    came = pairs["actual"] / pairs["close"]
    columns = {}
    for who, suffix in (("candidate", ""), ("champion", "_other")):
        close = pairs[f"close{suffix}"]
        columns[f"error_{who}"] = pairs[f"forecast{suffix}"] / close - came
        columns[f"inside_{who}"] = (pairs[f"lower{suffix}"] / close <= came) & (came <= pairs[f"upper{suffix}"] / close)
    return pairs[["origin", "horizon"]].assign(**columns).reset_index(drop=True)


def signal_pairs(candidate: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    """The sessions for which both have probabilities and whose label is known, from two tables of signals.

    origin, and brier_candidate, brier_champion: the sum over the classes of (probability - outcome)^2. By origin.
    """
    known = candidate[candidate["label"].isin(SIGNALS)]
    pairs = known.merge(champion, on="date", suffixes=("", "_other")).sort_values("date")
    outcomes = (pairs["label"].to_numpy()[:, np.newaxis] == np.array(SIGNALS)).astype(float)
    return pd.DataFrame(
        {
            "origin": pairs["date"].to_numpy(),
            "brier_candidate": _brier(pairs[list(SIGNALS)], outcomes),
            "brier_champion": _brier(pairs[[f"{name}_other" for name in SIGNALS]], outcomes),
        }
    )


def compare_prices(pairs: pd.DataFrame) -> dict[str, Any]:
    """Compare the losses of `price_pairs`, JSON-ready.

    The loss of an origin is the mean over its horizons of error^2 / horizon: a random walk errs alike at each. So all
    horizons that are served have a say, and origins whose last horizons have not come yet count too.
    """
    squared = pairs[["error_candidate", "error_champion"]].to_numpy() ** 2 / pairs[["horizon"]].to_numpy()
    by_origin = pd.DataFrame(squared, index=pairs["origin"]).groupby(level=0).mean().to_numpy()
    overlap = int(pairs["horizon"].max()) if len(pairs) else 1
    return _compared(by_origin, overlap)


def compare_signals(pairs: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """Compare the Brier scores of `signal_pairs`, of labels `horizon` sessions ahead, JSON-ready."""
    return _compared(pairs[["brier_candidate", "brier_champion"]].to_numpy(), horizon)


def coverages(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """The share of outcomes within the intervals of both models, at each of COVERAGE_HORIZONS that occurs. JSON-ready.

    Outcomes `horizon` sessions ahead overlap, so that many rows are about as good as one: `independent`.
    """
    found = []
    for horizon in COVERAGE_HORIZONS:
        rows = pairs[pairs["horizon"] == horizon]
        if len(rows):
            found.append(
                {
                    "horizon": horizon,
                    "rows": len(rows),
                    "independent": len(rows) / horizon,
                    "candidate": float(rows["inside_candidate"].mean()),
                    "champion": float(rows["inside_champion"].mean()),
                }
            )
    return found


def coverage_p_value(coverage: float, independent: float) -> float:
    """How likely a band that holds LEVEL of outcomes is at least as far off as `coverage`, on so many independent rows.

    Exact and two-sided: a handful of rows has no normal approximation. 1 where there is less than one row.
    """
    from scipy.special import bdtr, bdtrc

    rows = int(independent)
    held = round(coverage * rows)
    if rows < 1:
        return 1.0
    fewer, more = bdtr(held, rows, LEVEL), bdtrc(held - 1, rows, LEVEL) if held else 1.0
    return float(min(1.0, 2 * min(fewer, more)))


def _compared(losses: Floats, overlap: int) -> dict[str, Any]:
    """`losses` (origins, 2) of candidate and champion; `p_worse` is the one-sided p that the candidate is no worse.

    None where the test is undefined: too few origins, or losses that differ nowhere or everywhere by the same.
    """
    if not len(losses):
        return {"origins": 0, "candidate": None, "champion": None, "p_worse": None}
    _, p_better = loss_test(losses[:, 0] - losses[:, 1], overlap)
    candidate, champion = losses.mean(axis=0).tolist()
    return {"origins": len(losses), "candidate": candidate, "champion": champion, "p_worse": finite(1 - p_better)}


def _brier(probabilities: pd.DataFrame, outcomes: Floats) -> Floats:
    brier: Floats = ((probabilities.to_numpy(dtype=float) - outcomes) ** 2).sum(axis=1)
    return brier
