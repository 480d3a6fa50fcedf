"""Past forecasts of a ticker, as production would have made them: each origin by a scale that was learned before it.

The quantiles of each origin are of the errors that were known at its close, so they are renewed as often as production
renews them, at every session.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zenith_core.arrays import Floats, Ints
from zenith_core.risk.error_quantiles import own_share, past_quantiles
from zenith_core.risk.forecast_distribution import LEVELS, TAILS
from zenith_core.risk.price_moves import ANCHORS, PriceMoves
from zenith_core.risk.scale_model import ScaleModel


@dataclass(frozen=True)
class PastForecasts:
    """Forecasts from n origins over C horizons.

    rows:        (n,) of the history
    versions:    (n,) of the scale
    horizons:    (C,) of ANCHORS
    scales:      (n, C)
    quantiles:   (kinds, n, C, LEVELS) of the log return / scale, and of highs and lows where they were asked for
    shortfalls:  (n, C, TAILS) mean log return / scale below the quantile
    """

    rows: Ints
    versions: NDArray[Any]
    horizons: tuple[int, ...]
    scales: Floats
    quantiles: Floats
    shortfalls: Floats


def walk_forward(
    models: Sequence[ScaleModel],
    moves: PriceMoves,
    rows: Ints,
    horizons: tuple[int, ...] = ANCHORS,
    *,
    kinds: int = 3,
) -> PastForecasts:
    """Forecast from `rows`; those with a price that stands still, or without an earlier scale, are left out.

    kinds:  1 for returns alone, 3 for highs and lows too
    """
    shape = (len(horizons), len(LEVELS))
    parts = [_part(model, moves, part, horizons, kinds) for model, part in _by_model(models, moves, rows)]
    return PastForecasts(
        rows=np.concatenate([np.empty(0, dtype=np.int64), *(part.rows for part in parts)]),
        versions=np.concatenate([np.empty(0, dtype=object), *(part.versions for part in parts)]),
        horizons=horizons,
        scales=np.concatenate([np.empty((0, len(horizons))), *(part.scales for part in parts)]),
        quantiles=np.concatenate([np.empty((kinds, 0, *shape)), *(part.quantiles for part in parts)], axis=1),
        shortfalls=np.concatenate([np.empty((0, len(horizons), len(TAILS))), *(part.shortfalls for part in parts)]),
    )


def _by_model(models: Sequence[ScaleModel], moves: PriceMoves, rows: Ints) -> Iterator[tuple[ScaleModel, Ints]]:
    """Yield the newest model that was learned before, and its rows."""
    in_order = sorted(models, key=lambda model: model.data_end)
    ends = np.array([model.data_end for model in in_order], dtype="datetime64[D]")
    sound = rows[moves.sound[rows]]
    newest = np.searchsorted(ends, moves.dates[sound].astype("datetime64[D]"), side="left") - 1
    for number in np.unique(newest[newest >= 0]):
        yield in_order[number], sound[newest == number]


def _part(model: ScaleModel, moves: PriceMoves, rows: Ints, horizons: tuple[int, ...], kinds: int) -> PastForecasts:
    columns = [ANCHORS.index(horizon) for horizon in horizons]
    past, scales = np.flatnonzero(moves.sound[: rows[-1] + 1]), model.scales(moves)
    errors = moves.moves[:kinds, past] / scales[past]
    share = _own_shares(errors[0], past, rows)[:, np.newaxis]
    quantiles = np.empty((kinds, len(rows), len(columns), len(LEVELS)))
    shortfalls = np.empty((len(rows), len(columns), len(TAILS)))
    for at, (column, horizon) in enumerate(zip(columns, horizons, strict=True)):
        for kind in range(kinds):
            own, below = past_quantiles(errors[kind, :, column], past, horizon, rows, with_shortfalls=not kind)
            quantiles[kind, :, at] = _blend(share, own, model.others.moves[kind, column])
            if not kind:
                shortfalls[:, at] = _blend(share, below, model.others.shortfalls[column])
    versions = np.full(len(rows), model.version, dtype=object)
    return PastForecasts(rows, versions, horizons, scales[rows][:, columns], quantiles, shortfalls)


def _own_shares(errors: Floats, past: Ints, rows: Ints) -> Floats:
    """Return the weight of own errors (n, ANCHORS), by their number at the horizon that has fewest known at a row."""
    counts = [
        np.searchsorted(past[np.isfinite(errors[:, column])], rows - horizon, side="right")
        for column, horizon in enumerate(ANCHORS)
    ]
    return np.array([own_share(int(count)) for count in np.min(counts, axis=0)])


def _blend(share: Floats, own: Floats, others: Floats) -> Floats:
    return np.where(share > 0, share * own + (1 - share) * others, others)
