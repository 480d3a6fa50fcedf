"""The out-of-sample record of a ticker's bands and risk: walk-forward, each origin by a scale that was learned before.

The quantiles are renewed at every session, as in production.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.arrays import Bools, Floats, Ints
from zenith_core.evaluation.forecast_ledger import RISK_NUMBERS
from zenith_core.evaluation.probability_scores import pinball_loss
from zenith_core.inference import QUANTILES
from zenith_core.risk.backtest import MIN_TEST_ROWS, risk_record, volatility_record
from zenith_core.risk.error_quantiles import past_quantiles
from zenith_core.risk.forecast_distribution import LEVELS, TAILS
from zenith_core.risk.peers import peer_quantiles
from zenith_core.risk.price_moves import ANCHORS, PriceMoves, price_moves
from zenith_core.risk.scale_model import ScaleModel
from zenith_core.risk.walk_forward import PastForecasts, walk_forward
from zenith_core.statistics.diebold_mariano import loss_test
from zenith_core.statistics.performance import finite

HORIZONS_SCORED = (1, 5, 20)
RENEWAL = 20  # sessions after which a stored record is made anew
ORIGINS = 1000  # the newest; about four years
FIRST = 310  # sessions before the first origin
TOUCHES = (-10, -3, 3, 10)  # per cent from the close

PEER_STEP = 5  # origins between two that are compared with the peers, whose paths take time

_SIDES = [f"{'up' if pct > 0 else 'down'}_{abs(pct)}" for pct in TOUCHES]

RISK_COLUMNS = (
    *("origin", "horizon", "target_date", "scale_version", *RISK_NUMBERS, "actual_loss"),
    *(f"touch_{side}" for side in _SIDES),
    *(f"touched_{side}" for side in _SIDES),
)
"""The columns of `risk_table`."""

_COLUMNS = [ANCHORS.index(horizon) for horizon in HORIZONS_SCORED]
_TAIL_LEVELS = [LEVELS.index(tail) for tail in TAILS]
_BAND_LEVELS = [LEVELS.index(level) for level in QUANTILES]
_LEAST_EVENTS = 20  # origins before the first, to know how often a level was touched


def walk_forward_record(models: Sequence[ScaleModel], moves: PriceMoves) -> dict[str, Any]:
    """Return the record on the newest ORIGINS sessions for which one of `models` was learned before, JSON-ready.

    `since` and `until` are the first and last origin, ISO; `horizons` has by horizon the `volatility_record`, the
    `risk_record` of each of TAILS as `tails`, the `band`, its `peers` and the probabilities to `touch` TOUCHES.
    Empty if there is no such session.
    """
    forecasts = walk_forward(models, moves, _origins(moves), HORIZONS_SCORED)
    if not len(forecasts.rows):
        return {}
    first, last = np.datetime_as_string(moves.dates[forecasts.rows[[0, -1]]], unit="D")
    touches, peers = _touch_records(forecasts, moves), _peer_records(forecasts, moves)
    horizons = {
        str(horizon): {**_Horizon(forecasts, moves, at, horizon).record(), "peers": peers[at], "touch": touches[at]}
        for at, horizon in enumerate(HORIZONS_SCORED)
    }
    return {"since": str(first), "until": str(last), "horizons": horizons}


def risk_table(models: Sequence[ScaleModel], prices: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts behind `walk_forward_record`: RISK_COLUMNS, by origin, then horizon.

    Volatility is of the log return, losses are shares of the close; `touch_` is the probability to touch one of
    TOUCHES, `touched_` 1 if it was. Actual values are NaN where not known.
    """
    moves = price_moves(prices)
    forecasts = walk_forward(models, moves, _origins(moves), HORIZONS_SCORED)
    scales = forecasts.scales[..., np.newaxis]
    limits = forecasts.quantiles[0][..., _TAIL_LEVELS]
    losses = [_losses(scales * each) for each in (limits, np.minimum(forecasts.shortfalls, limits))]
    actual = _losses(moves.moves[0, forecasts.rows][:, _COLUMNS])
    count = len(HORIZONS_SCORED)
    targets = forecasts.rows[:, np.newaxis] + HORIZONS_SCORED
    dates = np.append(moves.dates, np.full(max(HORIZONS_SCORED), np.datetime64("NaT")))
    touches = _touch_probabilities(forecasts).reshape(-1, len(TOUCHES))
    touched = np.stack([[_events(moves, at, pct)[forecasts.rows] for pct in TOUCHES] for at in _COLUMNS])
    return pd.DataFrame(
        {
            "origin": np.repeat(moves.dates[forecasts.rows], count),
            "horizon": np.tile(HORIZONS_SCORED, len(forecasts.rows)),
            "target_date": dates[targets].ravel(),
            "scale_version": np.repeat(forecasts.versions, count),
            **dict(zip(RISK_NUMBERS, [scales.ravel(), *np.concatenate(losses, axis=-1).reshape(-1, 6).T], strict=True)),
            "actual_loss": actual.ravel(),
            **{f"touch_{side}": touches[:, at] for at, side in enumerate(_SIDES)},
            **{f"touched_{side}": touched[:, at].T.ravel() for at, side in enumerate(_SIDES)},
        },
        columns=list(RISK_COLUMNS),
    )


def _origins(moves: PriceMoves) -> Ints:
    return np.arange(max(FIRST, len(moves) - ORIGINS), len(moves))


@dataclass(frozen=True)
class _Horizon:
    forecasts: PastForecasts
    moves: PriceMoves
    at: int
    horizon: int

    def record(self) -> dict[str, Any]:
        actual = self.moves.moves[0, self.forecasts.rows, _COLUMNS[self.at]]
        is_known = np.isfinite(actual)
        rows, returns = self.forecasts.rows[is_known], actual[is_known]
        ewma = self.moves.volatility[rows] * np.sqrt(self.horizon)
        scales = self.forecasts.scales[is_known, self.at]
        quantiles = scales[:, np.newaxis] * self.forecasts.quantiles[0, is_known, self.at]
        shortfalls = scales[:, np.newaxis] * self.forecasts.shortfalls[is_known, self.at]
        limits = quantiles[:, _TAIL_LEVELS]
        losses, var, means = _losses(returns), _losses(limits), _losses(np.minimum(shortfalls, limits))
        tails = [
            risk_record(losses, var[:, at], means[:, at], ewma, tail=tail, horizon=self.horizon)
            for at, tail in enumerate(TAILS)
        ]
        band = _band_record(quantiles[:, _BAND_LEVELS], self._ewma_quantiles()[is_known], returns, self.horizon)
        variance = _realized_variance(self.moves, self.horizon)[rows]
        return {"volatility": volatility_record(variance, scales, ewma), "tails": tails, "band": band}

    def _ewma_quantiles(self) -> Floats:
        """Return the quantiles of EWMA volatility times those of the ticker's own past returns in its units."""
        past = np.flatnonzero(self.moves.sound[: self.forecasts.rows[-1] + 1])
        scale = self.moves.volatility * np.sqrt(self.horizon)
        errors = self.moves.moves[0, past, _COLUMNS[self.at]] / scale[past]
        shape, _ = past_quantiles(errors, past, self.horizon, self.forecasts.rows)
        quantiles: Floats = scale[self.forecasts.rows, np.newaxis] * shape[:, _BAND_LEVELS]
        return quantiles


def _band_record(own: Floats, ewma: Floats, returns: Floats, horizon: int) -> dict[str, float | int | None]:
    """Return coverage and pinball loss of quantiles (n, QUANTILES) beside those of EWMA volatility, JSON-ready.

    `coverage` is of the outermost two. `p_value` is Diebold and Mariano's, None below MIN_TEST_ROWS rows one horizon
    apart: with fewer the test rejects too often.
    """
    both = np.isfinite(ewma).all(axis=1)
    loss, baseline = pinball_loss(own[both], returns[both]), pinball_loss(ewma[both], returns[both])
    is_enough = len(loss) >= MIN_TEST_ROWS * horizon
    inside = (own[:, 0] <= returns) & (returns <= own[:, -1])
    mean, other = _mean(loss), _mean(baseline)
    return {
        "rows": len(returns),
        "coverage": finite(inside.mean()) if len(returns) else None,
        "pinball": mean,
        "pinball_ewma": other,
        "skill": finite(1 - mean / other) if mean is not None and other else None,
        "p_value": finite(loss_test(loss - baseline, horizon)[1]) if is_enough else None,
    }


def _peer_records(forecasts: PastForecasts, moves: PriceMoves) -> list[dict[str, float | int | None]]:
    """Return by horizon the pinball loss of the band and of its PEERS on every PEER_STEP-th origin, JSON-ready."""
    rows = forecasts.rows[::PEER_STEP]
    bands = forecasts.scales[::PEER_STEP, :, np.newaxis] * forecasts.quantiles[0, ::PEER_STEP][..., _BAND_LEVELS]
    quantiles = {"pinball": bands}
    for name, each in peer_quantiles(moves, rows, HORIZONS_SCORED, QUANTILES).items():
        quantiles[f"pinball_{name}"] = each
    records = []
    for at, column in enumerate(_COLUMNS):
        actual = moves.moves[0, rows, column]
        is_known = np.isfinite(actual)
        losses = {name: pinball_loss(each[is_known, at], actual[is_known]) for name, each in quantiles.items()}
        records.append({"rows": int(is_known.sum()), **{name: _mean(loss) for name, loss in losses.items()}})
    return records


def _touch_records(forecasts: PastForecasts, moves: PriceMoves) -> list[list[dict[str, float | int | None]]]:
    """Return by horizon the Brier score of the probability to touch each of TOUCHES, beside the past frequency's."""
    probabilities = _touch_probabilities(forecasts)
    return [
        [
            _touch_record(probabilities[:, at, number], _events(moves, column, pct), forecasts.rows, horizon, pct)
            for number, pct in enumerate(TOUCHES)
        ]
        for at, (column, horizon) in enumerate(zip(_COLUMNS, HORIZONS_SCORED, strict=True))
    ]


def _touch_probabilities(forecasts: PastForecasts) -> Floats:
    """Return the probability to touch each of TOUCHES: (n, horizons, TOUCHES). Beyond the quantiles it is their end.

    It does not fall with the horizon.
    """
    from scipy.special import ndtr, ndtri  # a tenth of the time that the code location takes to import

    normal, changes = ndtri(LEVELS), np.log1p(np.array(TOUCHES) / 100)
    probabilities = np.empty((len(forecasts.rows), len(forecasts.horizons), len(TOUCHES)))
    for number, pct in enumerate(TOUCHES):
        extremes = forecasts.quantiles[1 if pct > 0 else 2]
        for row in np.ndindex(*forecasts.scales.shape):
            probabilities[(*row, number)] = np.interp(changes[number] / forecasts.scales[row], extremes[row], normal)
    below = ndtr(probabilities)
    either: Floats = np.where(np.array(TOUCHES) > 0, 1 - below, below)
    longer: Floats = np.maximum.accumulate(either, axis=1)
    return longer


def _events(moves: PriceMoves, column: int, pct: int) -> Floats:
    """Return 1 where the level was touched after a session, 0 where not, NaN where not known."""
    extreme, change = moves.moves[1 if pct > 0 else 2, :, column], np.log1p(pct / 100)
    events: Bools = extreme >= change if pct > 0 else extreme <= change
    return np.where(np.isfinite(extreme), events, np.nan)


def _touch_record(
    probabilities: Floats, events: Floats, rows: Ints, horizon: int, pct: int
) -> dict[str, float | int | None]:
    totals = np.cumsum(np.isfinite(events)), np.nancumsum(events)
    at = rows - horizon  # the newest origin whose outcome is known
    counts, touches = (np.where(at >= 0, values[at], 0) for values in totals)
    actual = events[rows]
    is_scored = np.isfinite(actual) & (counts >= _LEAST_EVENTS)
    frequency = touches[is_scored] / counts[is_scored]
    own, base = (
        finite(((forecast - actual[is_scored]) ** 2).mean()) if is_scored.any() else None
        for forecast in (probabilities[is_scored], frequency)
    )
    return {
        "pct": pct,
        "rows": int(is_scored.sum()),
        "rate": finite(actual[is_scored].mean()) if is_scored.any() else None,
        "brier": own,
        "brier_frequency": base,
        "skill": finite(1 - own / base) if own is not None and base else None,
    }


def _realized_variance(moves: PriceMoves, horizon: int) -> Floats:
    """Return the sum of the squared daily log returns of the next `horizon` sessions, (n,); NaN if one is missing."""
    squares = np.append(moves.moves[0, :, ANCHORS.index(1)] ** 2, np.full(horizon - 1, np.nan))
    sums: Floats = np.lib.stride_tricks.sliding_window_view(squares, horizon).sum(axis=1)
    return sums


def _mean(values: Floats) -> float | None:
    return finite(values.mean()) if len(values) else None


def _losses(log_returns: Floats) -> Floats:
    losses: Floats = -np.expm1(log_returns)
    return losses
