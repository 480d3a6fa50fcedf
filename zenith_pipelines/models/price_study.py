"""The walk-forward study of the price model: out-of-sample forecasts, the model to serve, and how both came about."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from numpy.typing import NDArray

from zenith_core.errors import TrainingError
from zenith_core.features import FEATURES
from zenith_core.intervals import price_forecasts, realised_before, residual_quantiles
from zenith_core.splits import Fold, WalkForward
from zenith_core.targets import forward_log_returns, standardized
from zenith_pipelines.models.artifact import check_parity
from zenith_pipelines.models.inputs import ModelInputs, Progress, fold_facts, model_inputs, silent
from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer, TrainedLSTM
from zenith_pipelines.models.lstm_onnx import price_model_onnx

DEFAULT_CONFIG, DEFAULT_SPLIT = LSTMConfig(), WalkForward()
PARITY_WINDOWS = 256  # about a year of origins, the newest, on which the export is compared with the network


@dataclass(frozen=True)
class PriceStudy:
    """What a study found.

    forecasts:  origin, horizon, target_date, close, forecast, lower, upper, actual; one row per test origin and
                horizon; target_date is NaT and actual NaN where not known yet
    onnx:       the final model, ready to serve
    facts:      JSON-ready; the same for the same data, seed and machine
    """

    forecasts: pd.DataFrame
    onnx: bytes
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Forecasts:
    """Forecasts from `rows` (m,): standardized `scores` (m, horizons), and (horizons, levels) residual `quantiles`."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    quantiles: NDArray[np.float64]


def study_prices(
    features: pd.DataFrame,
    columns: Sequence[str] = FEATURES,
    config: LSTMConfig = DEFAULT_CONFIG,
    split: WalkForward = DEFAULT_SPLIT,
    on_progress: Progress = silent,
    *,
    usable: pd.Series | None = None,
    future: Sequence[date] = (),
) -> PriceStudy:
    """Forecast every test origin with a model that knows only its past, then train the model to serve.

    features:     by session: `columns`, close, volatility; NaN during warm-up only
    on_progress:  called with (epochs done, epochs at most) over all folds
    usable:       by session: False where a close is suspect, so that no target that rests on it is learned
    future:       sessions after the last row, for the target dates of forecasts that have not come due

    Raises TooShortHistory, NonFiniteInput, TrainingError or ParityError.
    """
    if split.gap < config.horizons:
        raise TrainingError(f"a gap of {split.gap} sessions leaks: targets reach {config.horizons} sessions ahead")
    inputs = model_inputs(features, columns, config.window, split)
    walk = _Walk(inputs, config, usable)
    samples = len(inputs.origins)
    folds = [*split.split(samples), split.final(samples)]
    tested, facts = [], []
    for number, fold in enumerate(folds):
        model, forecasts = walk.step(fold, lambda done, base=number * config.epochs: on_progress(base + done, len(folds) * config.epochs))
        on_progress((number + 1) * config.epochs, len(folds) * config.epochs)


class _Walk:
    """One pass through the folds, oldest first. Residuals are kept: a fold's intervals rest on all that came before."""

    def __init__(self, inputs: ModelInputs, config: LSTMConfig, usable: pd.Series | None) -> None:
        self._inputs = inputs
        self._trainer = LSTMTrainer(config, len(inputs.columns))
        self._targets = standardized(forward_log_returns(inputs.trainable_close(usable), config.horizons), inputs.volatility)
        self._rows = np.empty(0, dtype=np.int64)
        self._residuals = np.empty((0, config.horizons))
