"""Walk-forward forecasts of a model in the bands that production would have served with them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from zenith_core.arrays import Floats
from zenith_core.names import HORIZONS
from zenith_core.risk.forecast_distribution import LEVELS, SERVED_LEVELS
from zenith_core.risk.pooled_scale import every_horizon
from zenith_core.risk.price_moves import ANCHORS, PriceMoves, price_moves
from zenith_core.risk.scale_model import ScaleModel
from zenith_core.risk.walk_forward import PastForecasts, walk_forward

BAND_COLUMNS = tuple(f"q{100 * level:04.1f}".removesuffix(".0").replace(".", "_") for level in SERVED_LEVELS)
"""The columns of a forecast table that hold the quantiles at SERVED_LEVELS: q01, q02_5, q05 … q97_5, q99."""

NO_SCALE = "none"
_COLUMNS = [LEVELS.index(level) for level in SERVED_LEVELS]


def in_past_bands(forecasts: pd.DataFrame, prices: pd.DataFrame, models: Sequence[ScaleModel]) -> pd.DataFrame:
    """Return walk-forward `forecasts` (origin, horizon, close, lower, upper, …) in the bands of their day.

    prices:  cleaned prices, the origins among them
    models:  scales; each origin has the newest that was learned before it

    `lower` and `upper` are the 5 and 95 % quantiles, BAND_COLUMNS all, and `scale_version` is of the scale. A row
    without a distribution keeps the bands that it has, as serving does: the price stood still, or no scale is so old.
    It has NO_SCALE, and NaN at the levels that it lacks.
    """
    moves = price_moves(prices)
    origins = pd.DatetimeIndex(forecasts["origin"])
    at = prices.index.get_indexer(origins)
    horizons = forecasts["horizon"].to_numpy(dtype=int)
    are_anchors = set(horizons.tolist()) <= set(ANCHORS)
    anchors = tuple(sorted(set(horizons.tolist()))) if are_anchors else ANCHORS
    past = walk_forward(models, moves, np.unique(at[at >= 0]), anchors, kinds=1)
    moves_by_level = _log_quantiles(past, moves)
    position = pd.Index(past.rows).get_indexer(pd.Index(at))
    has_band = position >= 0
    column = np.searchsorted(anchors, horizons) if are_anchors else horizons - 1
    quantiles = np.full((len(forecasts), len(SERVED_LEVELS)), np.nan)
    close = forecasts["close"].to_numpy(dtype=float)
    quantiles[has_band] = close[has_band, np.newaxis] * np.exp(moves_by_level[position[has_band], column[has_band]])
    own = forecasts.reindex(columns=list(BAND_COLUMNS)).to_numpy(dtype=float)
    bands = pd.DataFrame(
        np.where(has_band[:, np.newaxis], quantiles, own), index=forecasts.index, columns=list(BAND_COLUMNS)
    )
    version = np.full(len(forecasts), NO_SCALE, dtype=object)
    version[has_band] = past.versions[position[has_band]]
    return forecasts.assign(
        lower=np.where(has_band, bands["q05"], forecasts["lower"]),
        upper=np.where(has_band, bands["q95"], forecasts["upper"]),
        **{str(name): bands[name] for name in bands},
        scale_version=version,
    )


def _log_quantiles(past: PastForecasts, moves: PriceMoves) -> Floats:
    """Return the quantiles at SERVED_LEVELS of log returns: (n, C, levels), C = HORIZONS if there are all ANCHORS."""
    scales, shapes = past.scales, past.quantiles[0][..., _COLUMNS]
    if past.horizons == ANCHORS:
        day = moves.volatility[past.rows]
        factors = every_horizon(np.log(scales / (day[:, np.newaxis] * np.sqrt(ANCHORS))).T).T
        scales = day[:, np.newaxis] * np.sqrt(np.arange(1, HORIZONS + 1)) * np.exp(factors)
        shapes = np.moveaxis(every_horizon(np.moveaxis(shapes, 1, 0)), 0, 1)
    quantiles: Floats = scales[..., np.newaxis] * shapes
    return quantiles
