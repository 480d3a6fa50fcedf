"""The out-of-sample record of a ticker's risk forecasts: walk-forward, each origin by a scale that was learned before.

The quantiles are renewed every RENEWAL sessions from the ticker's own errors up to then, and the others'. Production
renews them daily, so the record is a little worse than the product.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from zenith_core.arrays import Floats, Ints
from zenith_core.errors import NotAvailable
from zenith_core.risk.backtest import risk_record, volatility_record
from zenith_core.risk.forecast_distribution import LEVELS, TAILS
from zenith_core.risk.price_moves import ANCHORS, PriceMoves
from zenith_core.risk.scale_model import ScaleModel, latest_before

HORIZONS_SCORED = (1, 5, 20)
RENEWAL = 20  # sessions
ORIGINS = 1000  # the newest; about four years
FIRST = 310  # sessions before the first origin

_COLUMNS = [ANCHORS.index(horizon) for horizon in HORIZONS_SCORED]
_TAIL_LEVELS = [LEVELS.index(tail) for tail in TAILS]


@dataclass(frozen=True)
class _Forecasts:
    """Forecasts from n origins.

    rows:        (n,) of the history
    scales:      (n, HORIZONS_SCORED)
    quantiles:   (n, HORIZONS_SCORED, TAILS) log returns; shortfalls likewise, at most the quantiles
    """

    rows: Ints
    scales: Floats
    quantiles: Floats
    shortfalls: Floats


_FIELDS = [field.name for field in fields(_Forecasts)]


def walk_forward_record(models: Sequence[ScaleModel], moves: PriceMoves) -> dict[str, Any]:
    """Return the record on the newest ORIGINS sessions for which one of `models` was learned before, JSON-ready.

    `since` and `until` are the first and last origin, ISO; `horizons` has by horizon the `volatility_record`, and the
    `risk_record` of each of TAILS as `tails`. Empty if there is no such session.
    """
    blocks = [block for start in _starts(moves) if (block := _block(models, moves, start)) is not None]
    if not blocks:
        return {}
    forecasts = _Forecasts(*(np.concatenate([getattr(block, name) for block in blocks]) for name in _FIELDS))
    first, last = np.datetime_as_string(moves.dates[forecasts.rows[[0, -1]]], unit="D")
    horizons = {
        str(horizon): _record(forecasts, moves, column, horizon) for column, horizon in enumerate(HORIZONS_SCORED)
    }
    return {"since": str(first), "until": str(last), "horizons": horizons}


def _starts(moves: PriceMoves) -> range:
    return range(max(FIRST, len(moves) - ORIGINS), len(moves), RENEWAL)


def _block(models: Sequence[ScaleModel], moves: PriceMoves, start: int) -> _Forecasts | None:
    """Return the forecasts of RENEWAL sessions from row `start` on; None without a scale learned before."""
    rows = start + np.flatnonzero(moves.sound[start : start + RENEWAL])
    try:
        model = latest_before(models, str(np.datetime_as_string(moves.dates[start], unit="D")))
    except NotAvailable:
        return None
    shape, scales = model.quantiles_at(moves, start), model.scales(moves)[rows][:, _COLUMNS]
    quantiles = shape.moves[0][_COLUMNS][:, _TAIL_LEVELS]
    shortfalls = np.minimum(shape.shortfalls[_COLUMNS], quantiles)
    return _Forecasts(rows, scales, *(scales[:, :, np.newaxis] * values for values in (quantiles, shortfalls)))


def _record(forecasts: _Forecasts, moves: PriceMoves, column: int, horizon: int) -> dict[str, Any]:
    actual = moves.moves[0, forecasts.rows, _COLUMNS[column]]
    is_known = np.isfinite(actual)
    rows, losses = forecasts.rows[is_known], _losses(actual[is_known])
    ewma = moves.volatility[rows] * np.sqrt(horizon)
    scales, quantiles, shortfalls = (
        values[is_known, column] for values in (forecasts.scales, forecasts.quantiles, forecasts.shortfalls)
    )
    tails = [
        risk_record(losses, _losses(quantiles[:, at]), _losses(shortfalls[:, at]), ewma, tail=tail, horizon=horizon)
        for at, tail in enumerate(TAILS)
    ]
    return {"volatility": volatility_record(_realized_variance(moves, horizon)[rows], scales, ewma), "tails": tails}


def _realized_variance(moves: PriceMoves, horizon: int) -> Floats:
    """Return the sum of the squared daily log returns of the next `horizon` sessions, (n,); NaN if one is missing."""
    squares = np.append(moves.moves[0, :, ANCHORS.index(1)] ** 2, np.full(horizon - 1, np.nan))
    sums: Floats = np.lib.stride_tricks.sliding_window_view(squares, horizon).sum(axis=1)
    return sums


def _losses(log_returns: Floats) -> Floats:
    losses: Floats = -np.expm1(log_returns)
    return losses
