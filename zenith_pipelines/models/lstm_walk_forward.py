"""Walk-forward study of the price model: out-of-sample forecasts, the model to serve, and the facts of both."""

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
from zenith_core.features.targets import forward_log_returns, input_windows, standardized_returns
from zenith_core.forecasting.prediction_intervals import Band, BandCalibrator, OutOfSampleScores
from zenith_core.forecasting.residual_quantiles import matured_values, price_forecasts
from zenith_core.forecasting.ridge import fit_linear
from zenith_core.forecasting.shrinkage import STRICT_T_STATISTIC, shrinkage
from zenith_pipelines.models.forecast_table import forecast_table
from zenith_pipelines.models.lstm import LSTMConfig, trainer_of
from zenith_pipelines.models.lstm_onnx import PriceModel, price_model_onnx
from zenith_pipelines.models.onnx_artifact import check_parity
from zenith_pipelines.models.training_inputs import (
    ModelInputs,
    Progress,
    fold_facts,
    ignore_progress,
    model_inputs,
    study_facts,
)

DEFAULT_CONFIG, DEFAULT_SPLIT = LSTMConfig(), WalkForward()
PARITY_WINDOWS = 256  # newest origins, about a year, on which the export is compared with the network


@dataclass(frozen=True)
class PriceStudy:
    """The result of a study.

    forecasts:  origin, horizon, target_date, close, forecast, lower, upper, q05 ... q95, actual; one row per test
                origin and horizon; target_date is NaT and actual NaN where not known yet
    onnx:       the final model, ready to serve
    facts:      JSON-ready; identical for the same data, seed and machine
    """

    forecasts: pd.DataFrame
    onnx: bytes
    facts: dict[str, Any]


def study_prices(
    features: pd.DataFrame,
    columns: Sequence[str] = FEATURES,
    config: LSTMConfig = DEFAULT_CONFIG,
    split: WalkForward = DEFAULT_SPLIT,
    on_progress: Progress = ignore_progress,
    *,
    usable: pd.Series | None = None,
    future: Sequence[date] = (),
) -> PriceStudy:
    """Forecast from every test origin with a model trained on its past, then train the model to serve.

    features:     by session: `columns`, close, volatility; NaN during warm-up only
    on_progress:  called with (epochs done, epochs at most) over all folds
    usable:       by session: False where a close is suspect, so that targets based on it are neither learned nor scored
    future:       sessions after the last row, for the target dates of immature forecasts

    Raises TooShortHistory, NonFiniteInput, TrainingError or ParityError.
    """
    if split.gap < config.horizons:
        raise TrainingError(f"a gap of {split.gap} sessions leaks: targets reach {config.horizons} sessions ahead")
    inputs = model_inputs(features, columns, config.window, split)
    walk = _Walk(inputs, config, split.gap, usable)
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
        facts=study_facts(inputs, config.model_dump(), split, [step.facts for step in steps]),
    )


def _report(on_progress: Progress, earlier: int, total: int, epochs: int) -> None:
    on_progress(earlier + epochs, total)


@dataclass(frozen=True)
class _Step:
    """The result of a fold.

    model, band:  as known when the test begins
    rows:         (m,) of the test
    scores:       (m, horizons) forecasts in units of volatility
    offsets:      (m, horizons, levels) of the quantiles from the scores
    """

    model: PriceModel
    band: Band
    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    offsets: NDArray[np.float64]
    facts: dict[str, Any]


class _Walk:
    """One pass through the folds, oldest first. It stores all forecasts: bands use the errors of every earlier fold."""

    def __init__(self, inputs: ModelInputs, config: LSTMConfig, gap: int, usable: pd.Series | None) -> None:
        returns = forward_log_returns(inputs.trainable_close(usable), config.horizons)
        self._inputs, self._gap = inputs, gap
        self._targets = standardized_returns(returns, inputs.volatility)
        self._trainer = trainer_of(config, len(inputs.columns))
        self._calibrator = BandCalibrator(
            inputs.values, inputs.columns, inputs.volatility, self._targets, inputs.origins
        )
        # Unshrunk forecasts of both parts, and the shrunk sum of both.
        self._linear, self._network, self._scores = (OutOfSampleScores(*self._targets.shape) for _ in range(3))

    def step(self, fold: Fold, on_epoch: Callable[[int], None]) -> _Step:
        """Train on the fold, forecast its test rows, and calibrate on the outcomes known before the first of them."""
        origins = self._inputs.origins
        train, validation = (self._with_targets(origins[part]) for part in (fold.train, fold.validation))
        validation_rows, rows = origins[fold.validation], origins[fold.test]
        now = int(rows[0] if rows.size else origins[-1])
        choosing, judging = self._divide(validation)
        full_model = self._train(train, choosing, on_epoch)
        model, factors, scores = self._shrink(full_model, validation_rows, judging, rows, now)
        self._scores.keep(np.concatenate([validation_rows, rows]), scores)
        band = self._calibrator.band_at(now, self._scores.values)
        facts = {
            **fold_facts(self._inputs, fold, train),
            "shrinkage": factors,
            "epochs": len(model.network.losses),
            "losses": list(model.network.losses),
        }
        offsets = self._calibrator.offsets(band, rows)
        return _Step(model, band, rows, scores[validation_rows.size :], offsets, facts)

    def _divide(self, validation: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Divide validation rows into those that choose the network's epoch and those that judge it.

        Rows that chose the epoch would flatter the network. In later folds all choose, because earlier tests judge. In
        the first fold the older half chooses, and the newer half judges; the gap keeps their targets apart.
        """
        if self._network.rows.size:
            return validation, validation[:0]
        half = max((len(validation) - self._gap) // 2, 0)
        return validation[:half], validation[len(validation) - half :]

    def _train(
        self, train: NDArray[np.int64], validation: NDArray[np.int64], on_epoch: Callable[[int], None]
    ) -> PriceModel:
        """Fit the linear forecast in closed form, then train the network on its residuals.

        Neither learns the drift of the training rows: it would look like skill until prices turn.
        """
        if not train.size:
            raise TooShortHistory("no row has a known target at every horizon to train on")
        values = self._inputs.values
        linear = fit_linear(values[train], self._targets[train])
        residuals = self._targets - linear.predict(values)
        residuals -= residuals[train].mean(axis=0)
        return PriceModel(linear, self._trainer.fit(values, residuals, train, validation, on_epoch))

    def _shrink(
        self,
        model: PriceModel,
        validation_rows: NDArray[np.int64],
        judging: NDArray[np.int64],
        test_rows: NDArray[np.int64],
        now: int,
    ) -> tuple[PriceModel, dict[str, list[float]], NDArray[np.float64]]:
        """Shrink both parts by the record of all out-of-sample forecasts with outcomes known `now`.

        The linear forecast has a record on all validation rows, the network only on those `judging`.
        Returns the model, each part's factors by horizon, and the model's forecasts from `validation_rows` and
        `test_rows` in units of volatility.
        """
        values, rows, split = self._inputs.values, np.concatenate([validation_rows, test_rows]), validation_rows.size
        linear, network = model.linear.predict(values[rows]), self._trainer.predict(model.network, values, rows)
        self._linear.keep(validation_rows, linear[:split])
        self._network.keep(judging, network[np.searchsorted(rows, judging)])
        past_rows = self._linear.rows
        outcomes = matured_values(self._targets[past_rows], past_rows, now)
        linear_factors = shrinkage(self._linear.values[past_rows], outcomes)
        residuals = outcomes - linear_factors * self._linear.values[past_rows]
        residuals[~np.isin(past_rows, self._network.rows)] = np.nan
        network_factors = shrinkage(self._network.values[past_rows], residuals, STRICT_T_STATISTIC)
        self._linear.keep(test_rows, linear[split:])
        self._network.keep(test_rows, network[split:])
        shrunk_model = PriceModel(model.linear.shrunk(linear_factors), model.network.shrunk(network_factors))
        factors = {"linear": linear_factors.tolist(), "network": network_factors.tolist()}
        return shrunk_model, factors, linear_factors * linear + network_factors * network

    def _predict(self, model: PriceModel, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        values = self._inputs.values
        return model.linear.predict(values[rows]) + self._trainer.predict(model.network, values, rows)

    def export(self, step: _Step) -> bytes:
        """Export the step's model to ONNX. Raises ParityError if the export differs on the newest windows."""
        inputs, ends = self._inputs, self._inputs.origins[-PARITY_WINDOWS:]
        close, volatility = inputs.close[ends], inputs.volatility[ends]
        scores = self._predict(step.model, ends)
        offsets = self._calibrator.offsets(step.band, ends)
        quantiles = [price_forecasts(scores + offset, close, volatility) for offset in np.moveaxis(offsets, -1, 0)]
        onnx_inputs = {
            "window": input_windows(inputs.values, ends, step.model.network.window),
            "close": close.astype(np.float32),
            "volatility": volatility.astype(np.float32),
        }
        expected = {"price": price_forecasts(scores, close, volatility), "quantiles": np.stack(quantiles, axis=-1)}
        onnx = price_model_onnx(step.model, step.band, inputs.columns)
        check_parity(onnx, onnx_inputs, expected)
        return onnx

    def _with_targets(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows[np.isfinite(self._targets[rows]).all(axis=1)]
