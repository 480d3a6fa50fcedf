"""Scores of probability forecasts: the pinball loss of quantiles, and the reliability of class probabilities.

The pinball loss stands beside that of static rolling quantiles. Sources: Koenker and Bassett (1978), Regression
Quantiles; it is a proper score: Gneiting and Raftery (2007), Strictly Proper Scoring Rules, Prediction, and
Estimation, section 6.1.
"""

from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import AnyInts, Floats, Ints
from zenith_core.inference import QUANTILES
from zenith_core.statistics.performance import finite

QUANTILE_COLUMNS = tuple(f"q{round(100 * level):02d}" for level in QUANTILES)
"""The columns of a forecast table that hold the quantiles QUANTILES."""
STATIC_ORIGINS = 250  # about a year
BINS = 10  # of a reliability table


def pinball_loss(quantiles: Floats, actual: Floats) -> Floats:
    """Mean over the levels of max(level * d, (level - 1) * d), d = actual - quantile: (n, levels), (n,) → (n,)."""
    levels = np.array(QUANTILES)
    error = actual[:, np.newaxis] - quantiles
    loss: Floats = np.maximum(levels * error, (levels - 1) * error).mean(axis=1)
    return loss


def static_quantiles(close: Floats, rows: AnyInts, horizon: int) -> Floats:
    """Return quantiles of the growth factor over `horizon` sessions, from the STATIC_ORIGINS newest matured origins.

    `close` (n,) and the origins `rows` (m,) → (m, levels); NaN where `close` does not reach back far enough. Each
    forecast uses closes up to its row only.
    """
    quantiles = np.full((len(rows), len(QUANTILES)), np.nan)
    enough = rows >= horizon + STATIC_ORIGINS - 1
    if enough.any():
        growth = close[horizon:] / close[:-horizon]  # the one at k ends at session k + horizon
        past = np.lib.stride_tricks.sliding_window_view(growth, STATIC_ORIGINS)
        recent = past[rows[enough] - horizon - STATIC_ORIGINS + 1]
        quantiles[enough] = np.quantile(recent, QUANTILES, axis=1).T
    return quantiles


def pinball_metrics(rows: pd.DataFrame, horizon: int, history: pd.Series) -> dict[str, float | None]:
    """Score matured `rows` (origin, close, q05 ... q95, actual) of one horizon, in fractions of the close.

    `pinball` is the mean loss; `pinball_static` that of `static_quantiles` of `history` (closes by session), on the
    origins that have them, and `pinball_skill` is 1 - the ratio of the two on those. None where undefined.
    """
    if not len(rows) or not set(QUANTILE_COLUMNS) <= set(rows.columns):
        return dict.fromkeys(("pinball", "pinball_static", "pinball_skill"))
    close = rows["close"].to_numpy(dtype=float)
    actual = rows["actual"].to_numpy(dtype=float) / close
    own = pinball_loss(rows[list(QUANTILE_COLUMNS)].to_numpy(dtype=float) / close[:, np.newaxis], actual)
    at = history.index.get_indexer(pd.DatetimeIndex(rows["origin"]))
    static = pinball_loss(static_quantiles(history.to_numpy(dtype=float), at, horizon), actual)
    both = np.isfinite(static)
    baseline = static[both].mean() if both.any() else np.nan
    return {
        "pinball": finite(own.mean()),
        "pinball_static": finite(baseline),
        "pinball_skill": finite(1 - own[both].mean() / baseline) if baseline > 0 else None,
    }


def reliability_table(probabilities: Floats, outcomes: Floats) -> list[dict[str, float | int]]:
    """Return mean probability beside observed frequency in up to BINS bins of about equally many rows, JSON-ready.

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


def calibration_scores(label: Ints, probabilities: Floats, names: tuple[str, ...]) -> dict[str, Any]:
    """Return calibration errors of probabilities (n, classes) for outcomes `label` (n,).

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
