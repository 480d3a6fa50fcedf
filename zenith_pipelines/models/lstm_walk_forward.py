"""The walk-forward study of the price model: out-of-sample forecasts, the model to serve, and how both came about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.errors import TooShortHistory, TrainingError
from zenith_core.evaluation.walk_forward import Fold, WalkForward
from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import forward_log_returns, standardized
from zenith_core.features.windows import windows
from zenith_core.forecasting.prediction_intervals import Band, BandCalibrator, OutOfSampleScores
from zenith_core.forecasting.residual_quantiles import price_forecasts, realised_before
from zenith_core.forecasting.ridge import fit_linear
from zenith_core.forecasting.shrinkage import shrinkage
from zenith_pipelines.models.forecast_table import forecast_table
from zenith_pipelines.models.lstm import LSTMConfig, LSTMTrainer
from zenith_pipelines.models.lstm_onnx import PriceModel, price_model_onnx
from zenith_pipelines.models.onnx_artifact import check_parity
from zenith_pipelines.models.training_inputs import ModelInputs, Progress, fold_facts, model_inputs, silent, study_facts

DEFAULT_CONFIG, DEFAULT_SPLIT = LSTMConfig(), WalkForward()
PARITY_WINDOWS = 256  # about a year of origins, the newest, on which the export is compared with the network


@dataclass(frozen=True)
class PriceStudy:
    """What a study found.

    forecasts:  origin, horizon, target_date, close, forecast, lower, upper, q05 ... q95, actual; one row per test
                origin and horizon; target_date is NaT and actual NaN where not known yet
    onnx:       the final model, ready to serve
    facts:      JSON-ready; the same for the same data, seed and machine
    """

    forecasts: pd.DataFrame
    onnx: bytes
    facts: dict[str, Any]


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
    usable:       by session: False where a close is suspect, so that no target that rests on it is learned or scored
    future:       sessions after the last row, for the target dates of forecasts that have not come due

    Raises TooShortHistory, NonFiniteInput, TrainingError or ParityError.
    """
    if split.gap < config.horizons:
        raise TrainingError(f"a gap of {split.gap} sessions leaks: targets reach {config.horizons} sessions ahead")
    inputs = model_inputs(features, columns, config.window, split)
    walk = _Walk(inputs, config, usable)
    folds = [*split.split(len(inputs.origins)), split.final(len(inputs.origins))]
    steps = []
    for number, fold in enumerate(folds):
        progress = partial(_report, on_progress, number * config.epochs, len(folds) * config.epochs)
        steps.append(walk.step(fold, progress))
        progress(config.epochs)
    return PriceStudy(
        forecasts=pd.concat(
            [
                forecast_table(inputs, step.rows, step.scores, step.offsets, future, inputs.trainable_close(usable))
                for step in steps[:-1]
            ],
            ignore_index=True,
        ),
        onnx=walk.export(steps[-1]),
        facts=study_facts("lstm", inputs, config, split, [step.facts for step in steps]),
    )


def _report(on_progress: Progress, before: int, total: int, epochs: int) -> None:
    on_progress(before + epochs, total)


@dataclass(frozen=True)
class _Step:
    """What a fold yields: its model and the band known when its test begins; from the test's `rows` (m,), `scores`
    (m, horizons) in units of volatility and the `offsets` (m, horizons, levels) of the quantiles beside them."""

    model: PriceModel
    band: Band
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    offsets: NDArray[np.float64]
    facts: dict[str, Any]


class _Walk:
    """One pass through the folds, oldest first. It keeps all forecasts: bands rest on every earlier fold's errors."""

    def __init__(self, inputs: ModelInputs, config: LSTMConfig, usable: pd.Series | None) -> None:
        returns = forward_log_returns(inputs.trainable_close(usable), config.horizons)
        self._inputs = inputs
        self._targets = standardized(returns, inputs.volatility)
        self._trainer = LSTMTrainer(config, len(inputs.columns))
        self._calibrator = BandCalibrator(
            inputs.values, inputs.columns, inputs.volatility, self._targets, inputs.origins
        )
        # What both parts forecast as they were trained, and what was made of it.
        self._linear, self._network, self._scores = (OutOfSampleScores(*self._targets.shape) for _ in range(3))

    def step(self, fold: Fold, on_epoch: Callable[[int], None]) -> _Step:
        """Train on the fold, forecast its test rows, and calibrate on what was known before the first of them."""
        origins = self._inputs.origins
        train, validation = (self._with_targets(origins[part]) for part in (fold.train, fold.validation))
        judged, rows = origins[fold.validation], origins[fold.test]
        now = int(rows[0] if rows.size else origins[-1])
        trained = self._train(train, validation, on_epoch)
        model, factors, scores = self._shrunk(trained, judged, rows, now)
        self._scores.keep(np.concatenate([judged, rows]), scores)
        band = self._calibrator.known_at(now, self._scores.values)
        facts = {
            **fold_facts(self._inputs, fold, train),
            "shrinkage": factors,
            "epochs": len(model.network.losses),
            "losses": list(model.network.losses),
        }
        offsets = self._calibrator.offsets(band, rows)
        return _Step(model, band, rows, scores[judged.size :], offsets, facts)

    def _train(
        self, train: NDArray[np.int64], validation: NDArray[np.int64], on_epoch: Callable[[int], None]
    ) -> PriceModel:
        """The linear forecast in closed form, then the network on what it leaves unexplained.

        Neither learns the drift of its training rows: it would pass for skill until prices turn.
        """
        if not train.size:
            raise TooShortHistory("no row has a known target at every horizon to train on")
        values = self._inputs.values
        linear = fit_linear(values[train], self._targets[train])
        unexplained = self._targets - linear.predict(values)
        unexplained -= unexplained[train].mean(axis=0)
        return PriceModel(linear, self._trainer.fit(values, unexplained, train, validation, on_epoch))

    def _shrunk(
        self, model: PriceModel, judged: NDArray[np.int64], rows: NDArray[np.int64], now: int
    ) -> tuple[PriceModel, dict[str, list[float]], NDArray[np.float64]]:
        """Each part as far as forecasts of its kind deserve, by all that were made out of sample and known `now`.

        Returns the model, each part's factors by horizon, and the model's forecasts from `judged` and `rows` in units
        of volatility.
        """
        values, held_out = self._inputs.values, np.concatenate([judged, rows])
        linear, network = model.linear.predict(values[held_out]), self._trainer.predict(model.network, values, held_out)
        self._linear.keep(judged, linear[: judged.size])
        self._network.keep(judged, network[: judged.size])
        known = self._linear.rows
        came = realised_before(self._targets[known], known, now)
        of_linear = shrinkage(self._linear.values[known], came)
        of_network = shrinkage(self._network.values[known], came - of_linear * self._linear.values[known])
        self._linear.keep(rows, linear[judged.size :])
        self._network.keep(rows, network[judged.size :])
        shrunk = PriceModel(model.linear.shrunk(of_linear), model.network.shrunk(of_network))
        factors = {"linear": of_linear.tolist(), "network": of_network.tolist()}
        return shrunk, factors, of_linear * linear + of_network * network

    def _predict(self, model: PriceModel, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        values = self._inputs.values
        return model.linear.predict(values[rows]) + self._trainer.predict(model.network, values, rows)

    def export(self, step: _Step) -> bytes:
        """The step's model as ONNX. Raises ParityError unless it answers as the network does on the newest windows."""
        inputs, ends = self._inputs, self._inputs.origins[-PARITY_WINDOWS:]
        close, volatility = inputs.close[ends], inputs.volatility[ends]
        scores = self._predict(step.model, ends)
        offsets = self._calibrator.offsets(step.band, ends)
        shifted = [price_forecasts(scores + offset, close, volatility) for offset in np.moveaxis(offsets, -1, 0)]
        asked = {
            "window": windows(inputs.values, ends, step.model.network.window),
            "close": close.astype(np.float32),
            "volatility": volatility.astype(np.float32),
        }
        expected = {"price": price_forecasts(scores, close, volatility), "quantiles": np.stack(shifted, axis=-1)}
        onnx = price_model_onnx(step.model, step.band, inputs.columns)
        check_parity(onnx, asked, expected)
        return onnx

    def _with_targets(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows[np.isfinite(self._targets[rows]).all(axis=1)]
