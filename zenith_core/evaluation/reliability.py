"""Whether probabilities mean what they say: of the sessions that were given 40 %, did it come in 40 %?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10

Floats = NDArray[np.float64]


def reliability_table(probabilities: Floats, outcomes: Floats) -> list[dict[str, float | int]]:
    """Mean probability beside observed frequency in up to BINS bins of about equally many rows, JSON-ready.

    `probabilities` (n,) and `outcomes` (n,) of 0 or 1. Equal probabilities share a bin, so there may be fewer bins.
    """
    edges = np.unique(np.quantile(probabilities, np.arange(1, BINS) / BINS)) if len(probabilities) else np.empty(0)
    bins = np.searchsorted(edges, probabilities, side="left")
    return [
        {
            "predicted": float(probabilities[bins == number].mean()),
            "observed": float(outcomes[bins == number].mean()),
            "rows": int((bins == number).sum()),
        }
        for number in np.unique(bins)
    ]


def calibration_error(table: list[dict[str, float | int]]) -> float | None:
    """Return the expected calibration error of a `reliability_table`: mean |observed - predicted| over rows, or None.

    Source: Naeini, Cooper and Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using Bayesian Binning;
    bins of equal mass as in Nguyen and O'Connor (2015), Posterior Calibration.
    """
    rows = sum(row["rows"] for row in table)
    return sum(abs(row["observed"] - row["predicted"]) * row["rows"] for row in table) / rows if rows else None


def calibration_scores(label: NDArray[np.int64], probabilities: Floats, names: tuple[str, ...]) -> dict[str, Any]:
    """How far probabilities (n, classes) are from what came, `label` (n,).

    `ece` is of the most probable class and its probability (top-label), `ece_classwise` the mean over the classes of
    each class's own; `reliability` is {class: table}.
    """
    top = reliability_table(probabilities.max(axis=1), (probabilities.argmax(axis=1) == label).astype(float))
    tables = {
        name: reliability_table(probabilities[:, number], (label == number).astype(float))
        for number, name in enumerate(names)
    }
    each = [error for table in tables.values() if (error := calibration_error(table)) is not None]
    return {
        "ece": calibration_error(top),
        "ece_classwise": sum(each) / len(each) if each else None,
        "reliability": tables,
    }
