"""Walk-forward forecasts as a table to export: one row per origin and horizon."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.evaluation.probability_scores import QUANTILE_COLUMNS
from zenith_core.forecasting.residual_quantiles import price_forecasts
from zenith_pipelines.models.training_inputs import ModelInputs


def forecast_table(
    inputs: ModelInputs,
    rows: NDArray[np.int64],
    scores: NDArray[np.float64],
    offsets: NDArray[np.float64],
    future: Sequence[date] = (),
    actual_close: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Return origin, horizon, target_date, close, forecast, lower, upper, q05 ... q95, actual; by origin, then horizon.

    rows:          (m,) origins, as rows of `inputs`
    scores:        (m, horizons) forecasts in units of volatility
    offsets:       (m, horizons, levels) of the quantiles from the forecast, likewise; the outermost are the interval
    future:        sessions after the last row; without them a future target has the date NaT
    actual_close:  (n,) closes by row of `inputs` to score forecasts against, NaN where suspect; default all closes

    Prices are in the currency of the close. `actual` is NaN where the target is in the future, or where its close or
    that of the origin is suspect: a forecast from a wrong price shows nothing.
    """
    close, volatility = inputs.close[rows], inputs.volatility[rows]
    horizons = scores.shape[1]
    actual_close = inputs.close if actual_close is None else actual_close
    length = len(inputs.index) + horizons
    targets = (rows[:, np.newaxis] + np.arange(1, horizons + 1)).ravel()

    def prices(shift: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return price_forecasts(scores + shift, close, volatility).ravel()

    return pd.DataFrame(
        {
            "origin": np.repeat(inputs.index[rows].to_numpy(), horizons),
            "horizon": np.tile(np.arange(1, horizons + 1), len(rows)),
            "target_date": _resize(_sessions(inputs, future), length)[targets],
            "close": np.repeat(close, horizons),
            "forecast": prices(0.0),
            "lower": prices(offsets[..., 0]),
            "upper": prices(offsets[..., -1]),
            **{name: prices(offsets[..., level]) for level, name in enumerate(QUANTILE_COLUMNS)},
            "actual": np.where(
                np.repeat(np.isnan(actual_close[rows]), horizons), np.nan, _resize(actual_close, length)[targets]
            ),
        }
    )


def _sessions(inputs: ModelInputs, future: Sequence[date]) -> NDArray[np.datetime64]:
    past = inputs.index.to_numpy()
    return np.concatenate([past, np.array(list(future), dtype="datetime64[D]").astype(past.dtype)])


def _resize(values: NDArray[Any], length: int) -> NDArray[Any]:
    """Cut `values` to `length`, or extend them with NaN or NaT."""
    padding = np.full(max(length - len(values), 0), "NaT" if values.dtype.kind == "M" else np.nan, dtype=values.dtype)
    return np.concatenate([values[:length], padding])
