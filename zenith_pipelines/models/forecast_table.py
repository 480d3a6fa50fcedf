"""Walk-forward forecasts as the table people export: one row per origin and horizon."""

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
    came: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """origin, horizon, target_date, close, forecast, lower, upper, q05 ... q95, actual; by origin, then horizon.

    rows:       (m,) origins, as rows of `inputs`
    scores:     (m, horizons) forecasts in units of volatility
    offsets:    (m, horizons, levels) of the quantiles beside the forecast, likewise; the outermost make the interval
    future:     sessions after the last row; without them a target that has not come has the date NaT
    came:       (n,) closes by row of `inputs` that forecasts are held against, NaN where not to be believed;
                default all closes

    Prices are in the currency of the close. `actual` is NaN where the target has not come, or where it or the origin's
    own close is not believed: of a forecast from a wrong price, nothing can be learned.
    """
    close, volatility = inputs.close[rows], inputs.volatility[rows]
    horizons = scores.shape[1]
    came = inputs.close if came is None else came
    targets = (rows[:, np.newaxis] + np.arange(1, horizons + 1)).ravel()

    def prices(shift: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return price_forecasts(scores + shift, close, volatility).ravel()

    return pd.DataFrame(
        {
            "origin": np.repeat(inputs.index[rows].to_numpy(), horizons),
            "horizon": np.tile(np.arange(1, horizons + 1), len(rows)),
            "target_date": _padded(_sessions(inputs, future), len(inputs.index) + horizons)[targets],
            "close": np.repeat(close, horizons),
            "forecast": prices(0.0),
            "lower": prices(offsets[..., 0]),
            "upper": prices(offsets[..., -1]),
            **{name: prices(offsets[..., level]) for level, name in enumerate(QUANTILE_COLUMNS)},
            "actual": np.where(
                np.repeat(np.isnan(came[rows]), horizons), np.nan, _padded(came, len(inputs.index) + horizons)[targets]
            ),
        }
    )


def _sessions(inputs: ModelInputs, future: Sequence[date]) -> NDArray[np.datetime64]:
    known = inputs.index.to_numpy()
    return np.concatenate([known, np.array(list(future), dtype="datetime64[D]").astype(known.dtype)])


def _padded(known: NDArray[Any], length: int) -> NDArray[Any]:
    """`known` cut or continued to `length`, with NaN or NaT."""
    continued = np.full(max(length, len(known)), "NaT" if known.dtype.kind == "M" else np.nan, dtype=known.dtype)
    continued[: len(known)] = known
    return continued[:length]
