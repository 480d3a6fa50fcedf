"""What a served model would have said on past sessions: its ONNX asked on rows of the feature table.

Only for sessions after the model's data end: what it says of earlier ones it may have learned by heart.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.evaluation.probability_scores import QUANTILE_COLUMNS
from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import signal_labels
from zenith_core.features.windows import windows
from zenith_core.inference import SIGNALS
from zenith_pipelines.models.onnx_artifact import metadata, onnx_run


def replayed_prices(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, came: pd.Series) -> pd.DataFrame:
    """Forecasts of a price model from every session of `features` later than `after`, as a forecast table.

    origin, horizon, close, forecast, lower, upper, q05 … q95, actual; by origin, then horizon. `came` holds the closes
    by session that forecasts are held against, NaN where they are not believed; `actual` is NaN where it is, or where
    the target has not come.
    """
    rows = np.flatnonzero(features.index > after)
    close = features["close"].to_numpy(dtype=np.float64)
    inputs = {
        "window": windows(features[list(FEATURES)].to_numpy(dtype=np.float32), rows, _window(onnx)),
        "close": close[rows].astype(np.float32),
        "volatility": features["volatility"].to_numpy(dtype=np.float32)[rows],
    }
    price, quantiles = (
        np.asarray(answer, dtype=np.float64) for answer in onnx_run(onnx)(["price", "quantiles"], inputs)
    )
    horizons = price.shape[1]
    levels = dict(zip(QUANTILE_COLUMNS, quantiles.reshape(-1, len(QUANTILE_COLUMNS)).T, strict=True))
    return pd.DataFrame(
        {
            "origin": np.repeat(features.index[rows].to_numpy(), horizons),
            "horizon": np.tile(np.arange(1, horizons + 1), len(rows)),
            "close": np.repeat(close[rows], horizons),
            "forecast": price.ravel(),
            "lower": quantiles[..., 0].ravel(),
            "upper": quantiles[..., -1].ravel(),
            **levels,
            "actual": _outcomes(came.reindex(features.index).to_numpy(dtype=np.float64), rows, horizons).ravel(),
        }
    )


def replayed_signals(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, came: pd.Series) -> pd.DataFrame:
    """Probabilities of a signal model for every session of `features` later than `after`: date, sell, hold, buy, label.

    `came` as for `replayed_prices`; `label` is "" where it is not known (yet).
    """
    rows = np.flatnonzero(features.index > after)
    inputs = {"features": features[list(FEATURES)].to_numpy(dtype=np.float32)[rows]}
    (probabilities,) = onnx_run(onnx)(["probabilities"], inputs)
    config: Mapping[str, Any] = metadata(onnx)["study"]["config"]
    labels = signal_labels(
        came.reindex(features.index).to_numpy(dtype=np.float64),
        features["volatility"].to_numpy(dtype=np.float64),
        config["horizon"],
        config["threshold"],
    )
    names = np.array([*SIGNALS, ""])  # an unknown label is -1 and so picks the last one
    return pd.DataFrame(
        {
            "date": features.index[rows],
            **dict(zip(SIGNALS, np.asarray(probabilities, dtype=np.float64).T, strict=True)),
            "label": names[labels[rows]],
        }
    )


def _window(onnx: bytes) -> int:
    window: int = metadata(onnx)["study"]["config"]["window"]
    return window


def _outcomes(came: NDArray[np.float64], rows: NDArray[np.int64], horizons: int) -> NDArray[np.float64]:
    """The closes 1 … `horizons` sessions after each of `rows` (m,): (m, horizons), NaN where not known."""
    padded = np.concatenate([came, np.full(horizons, np.nan)])
    later: NDArray[np.float64] = padded[rows[:, np.newaxis] + np.arange(1, horizons + 1)]
    later[np.isnan(came[rows])] = np.nan
    return later
