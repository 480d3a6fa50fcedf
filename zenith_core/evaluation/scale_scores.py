"""Scores of a scale model on rows of many tickers: pinball loss and coverage, in units of EWMA volatility.

So each ticker counts alike, calm or not. The quantiles are those of the pool alone, without any ticker's
own errors.
"""

from collections.abc import Mapping

import numpy as np

from zenith_core.arrays import Bools, Floats
from zenith_core.evaluation.probability_scores import pinball_loss
from zenith_core.inference import QUANTILES
from zenith_core.risk.error_quantiles import error_quantiles
from zenith_core.risk.forecast_distribution import LEVELS
from zenith_core.risk.pooled_scale import Pool, stretch
from zenith_core.risk.price_moves import ANCHORS, SCALE_INPUTS
from zenith_core.risk.scale_model import ScaleModel

SCORED = (1, 5, 20)
"""The horizons that are scored, in sessions."""

LEAST_GROUP = 500
"""The fewest rows of a market or decile that is scored; the error of a coverage of 90 % is then 1.3 points."""

_COLUMNS = [LEVELS.index(level) for level in QUANTILES]
_LOG_EWMA = SCALE_INPUTS.index("log_ewma")


def scale_scores(model: ScaleModel, pool: Pool) -> dict[str, float]:
    """Return `rows`, `pinball_h` and `coverage_h` of the 90 % band for h in SCORED, and `coverage_volatile`.

    The last is the coverage at one session in the top decile of volatility. Without known moves only `rows`, 0.
    """
    inputs, targets = pool.inputs, pool.targets[0]
    if not np.isfinite(targets).any(axis=0).all():
        return {"rows": 0.0}
    scores = {"rows": float(len(pool))}
    for horizon in SCORED:
        loss, inside = _losses(model, pool, horizon)
        is_known = np.isfinite(loss)
        scores[f"pinball_{horizon}"] = float(loss[is_known].mean())
        scores[f"coverage_{horizon}"] = float(inside[is_known].mean())
        if horizon == 1:
            volatile = inputs[:, _LOG_EWMA] >= np.quantile(inputs[is_known, _LOG_EWMA], 0.9)
            scores["coverage_volatile"] = float(inside[is_known & volatile].mean())
    return scores


def group_scores(model: ScaleModel, pool: Pool) -> dict[str, dict[str, float]]:
    """Return `rows`, `horizon`, `pinball` and `coverage` by market at each of SCORED, by decile of volatility at one.

    Groups below LEAST_GROUP rows are left out: their coverage is chance.
    """
    volatility = pool.inputs[:, _LOG_EWMA]
    markets = {f"market {name or 'unknown'}": pool.markets == name for name in np.unique(pool.markets)}
    scores = {}
    for horizon in SCORED:
        loss, inside = _losses(model, pool, horizon)
        is_known = np.isfinite(loss)
        groups = markets
        if horizon == 1 and is_known.any():
            edges = np.quantile(volatility[is_known], np.arange(1, 10) / 10)
            decile = np.searchsorted(edges, volatility, side="right")
            groups = markets | {f"volatility decile {number + 1}": decile == number for number in range(10)}
        for name, mask in groups.items():
            rows = mask & is_known
            if rows.sum() >= LEAST_GROUP:
                scores[name if horizon == 1 else f"{name} over {horizon} sessions"] = {
                    "rows": float(rows.sum()),
                    "horizon": float(horizon),
                    "pinball": float(loss[rows].mean()),
                    "coverage": float(inside[rows].mean()),
                }
    return scores


def _losses(model: ScaleModel, pool: Pool, horizon: int) -> tuple[Floats, Bools]:
    """Return the pinball loss of each row, NaN where not known, and True where the move is in the 90 % band."""
    at = ANCHORS.index(horizon)
    actual = pool.targets[0, :, at]
    scale = stretch(pool.inputs, model.coefficients)[:, at, np.newaxis]
    quantiles = scale * model.others.moves[0, at, _COLUMNS]
    inside: Bools = (quantiles[:, 0] <= actual) & (actual <= quantiles[:, -1])
    return pinball_loss(quantiles, actual), inside


def ewma_model(pool: Pool, version: str = "ewma") -> ScaleModel:
    """Return the baseline: EWMA volatility times sqrt(h), and the quantiles of the pool's returns in its units."""
    coefficients = np.zeros((len(SCALE_INPUTS), len(ANCHORS)))
    return ScaleModel(version, "", pool.tickers, len(pool), coefficients, error_quantiles(pool.targets))


def relative_pinball(scores: Mapping[str, float], others: Mapping[str, float]) -> float:
    """Return the mean over SCORED of the ratio of two models' pinball losses, minus 1; negative is better."""
    return float(np.mean([scores[f"pinball_{h}"] / others[f"pinball_{h}"] for h in SCORED]) - 1)
