"""Forecasts of a registered model on past sessions, from rows of the feature table.

Only for sessions after the model's data end: on earlier ones it may merely repeat its training data.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.evaluation.probability_scores import QUANTILE_COLUMNS
from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import input_windows, signal_labels
from zenith_core.inference import SIGNALS
from zenith_core.model_kinds.options import horizon_of, window_of
from zenith_core.model_kinds.tasks import Task
from zenith_pipelines.models.onnx_artifact import metadata, onnx_run


def replay_prices(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, closes: pd.Series) -> pd.DataFrame:
    """Return a price model's forecasts from every session of `features` later than `after`.

    Columns: origin, horizon, close, forecast, lower, upper, q05 … q95, actual; by origin, then horizon.
    `closes` by session are the outcomes, NaN where suspect. `actual` is NaN if the outcome is, or is not known yet.
    """
    rows = np.flatnonzero(features.index > after)
    close = features["close"].to_numpy(dtype=np.float64)
    inputs = {
        "window": input_windows(features[list(FEATURES)].to_numpy(dtype=np.float32), rows, window_of(metadata(onnx))),
        "close": close[rows].astype(np.float32),
        "volatility": features["volatility"].to_numpy(dtype=np.float32)[rows],
    }
    price, quantiles = (
        np.asarray(output, dtype=np.float64) for output in onnx_run(onnx)(["price", "quantiles"], inputs)
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
            "actual": _outcomes(closes.reindex(features.index).to_numpy(dtype=np.float64), rows, horizons).ravel(),
        }
    )


def replay_signals(onnx: bytes, features: pd.DataFrame, after: pd.Timestamp, closes: pd.Series) -> pd.DataFrame:
    """Return a signal model's probabilities for every session of `features` later than `after`.

    Columns: date, sell, hold, buy, label. `closes` as for `replay_prices`; `label` is "" if not known (yet).
    """
    rows = np.flatnonzero(features.index > after)
    inputs = {"features": features[list(FEATURES)].to_numpy(dtype=np.float32)[rows]}
    (probabilities,) = onnx_run(onnx)(["probabilities"], inputs)
    config: Mapping[str, Any] = metadata(onnx)["study"]["config"]
    labels = signal_labels(
        closes.reindex(features.index).to_numpy(dtype=np.float64),
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


Replay = Callable[[bytes, pd.DataFrame, pd.Timestamp, pd.Series], pd.DataFrame]
"""Called with an ONNX model, the feature table, the session before the first origin, and closes by session."""

REPLAYS: Mapping[Task, Replay] = {"price": replay_prices, "signal": replay_signals}
"""The replay of each task."""


def artifact_horizon(onnx: bytes) -> int:
    """Return the horizon of a model's signals, or at which its forecasts are scored first."""
    return horizon_of(metadata(onnx))


def _outcomes(closes: NDArray[np.float64], rows: NDArray[np.int64], horizons: int) -> NDArray[np.float64]:
    """Return the closes 1 … `horizons` sessions after each of `rows` (m,): (m, horizons), NaN if not known."""
    all_closes = np.concatenate([closes, np.full(horizons, np.nan)])
    later: NDArray[np.float64] = all_closes[rows[:, np.newaxis] + np.arange(1, horizons + 1)]
    later[np.isnan(closes[rows])] = np.nan
    return later
