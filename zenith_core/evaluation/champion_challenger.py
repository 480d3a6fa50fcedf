"""Compare two models on common rows that neither trained on: is the difference in loss significant?

Forecasts are compared as growth factors of the origin's close, because prices may have been restated between two
models: a later dividend rescales all adjusted closes before it. Actual values are those of the candidate's table, the
newer one.
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
"""The nominal coverage of the interval."""


def price_pairs(candidate: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts with a known outcome that two forecast tables have in common.

    origin, horizon, and for each of candidate and champion: error_…, (forecast - actual) / close at the origin, a
    fraction; inside_…, True if the actual lies within its interval. Sorted by origin, then horizon.
    """
    rows_with_actual = candidate[candidate["actual"].notna()]
    pairs = rows_with_actual.merge(champion, on=["origin", "horizon"], suffixes=("", "_other")).sort_values(
        ["origin", "horizon"]
    )
    growth = pairs["actual"] / pairs["close"]
    columns = {}
    for model, suffix in (("candidate", ""), ("champion", "_other")):
        close = pairs[f"close{suffix}"]
        columns[f"error_{model}"] = pairs[f"forecast{suffix}"] / close - growth
        lower, upper = pairs[f"lower{suffix}"] / close, pairs[f"upper{suffix}"] / close
        columns[f"inside_{model}"] = (lower <= growth) & (growth <= upper)
    return pairs[["origin", "horizon"]].assign(**columns).reset_index(drop=True)


def signal_pairs(candidate: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    """Return the sessions with a known label that two signal tables have in common.

    origin, and brier_candidate, brier_champion: the sum over the classes of (probability - outcome)^2. Sorted by
    origin.
    """
    labels = candidate[candidate["label"].isin(SIGNALS)]
    pairs = labels.merge(champion, on="date", suffixes=("", "_other")).sort_values("date")
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
    served horizons count, and so do origins whose last horizons have not matured yet.
    """
    losses = pairs[["error_candidate", "error_champion"]].to_numpy() ** 2 / pairs[["horizon"]].to_numpy()
    by_origin = pd.DataFrame(losses, index=pairs["origin"]).groupby(level=0).mean().to_numpy()
    overlap = int(pairs["horizon"].max()) if len(pairs) else 1
    return _compared(by_origin, overlap)


def compare_signals(pairs: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """Compare the Brier scores of `signal_pairs`, of labels `horizon` sessions ahead, JSON-ready."""
    return _compared(pairs[["brier_candidate", "brier_champion"]].to_numpy(), horizon)


def coverages(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the coverage of both models' intervals at each of COVERAGE_HORIZONS that occurs, JSON-ready.

    Outcomes `horizon` sessions ahead overlap, so `horizon` rows count as one `independent` row.
    """
    table = []
    for horizon in COVERAGE_HORIZONS:
        rows = pairs[pairs["horizon"] == horizon]
        if len(rows):
            table.append(
                {
                    "horizon": horizon,
                    "rows": len(rows),
                    "independent": len(rows) / horizon,
                    "candidate": float(rows["inside_candidate"].mean()),
                    "champion": float(rows["inside_champion"].mean()),
                }
            )
    return table


def coverage_p_value(coverage: float, independent: float) -> float:
    """Return the p-value of `coverage`, a fraction of so many independent rows, for an interval of nominal LEVEL.

    Exact binomial test, two-sided, because the normal approximation fails for few rows. 1 below one row.
    """
    from scipy.special import bdtr, bdtrc

    rows = int(independent)
    inside = round(coverage * rows)
    if rows < 1:
        return 1.0
    fewer, more = bdtr(inside, rows, LEVEL), bdtrc(inside - 1, rows, LEVEL) if inside else 1.0
    return float(min(1.0, 2 * min(fewer, more)))


def _compared(losses: Floats, overlap: int) -> dict[str, Any]:
    """Compare `losses` (origins, 2) of candidate and champion; a small `p_worse` means that the candidate is worse.

    One-sided. None where the test is undefined: too few origins, or a constant difference.
    """
    if not len(losses):
        return {"origins": 0, "candidate": None, "champion": None, "p_worse": None}
    _, p_better = loss_test(losses[:, 0] - losses[:, 1], overlap)
    candidate, champion = losses.mean(axis=0).tolist()
    return {"origins": len(losses), "candidate": candidate, "champion": champion, "p_worse": finite(1 - p_better)}


def _brier(probabilities: pd.DataFrame, outcomes: Floats) -> Floats:
    brier: Floats = ((probabilities.to_numpy(dtype=float) - outcomes) ** 2).sum(axis=1)
    return brier
