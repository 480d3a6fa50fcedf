"""Walk-forward study of the signal model: out-of-sample signals, the model to serve, and the facts of both.

Every fold and the final model are trained the same way. Before the first fold is trained, its training rows are cut
into blocks, and a model trained on the other blocks votes on each. These votes, and those of earlier tests, are all out
of sample. They calibrate the next model and decide whether it may signal. Later folds need no extra training for this.
No fold uses information from after the start of its test.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.errors import TrainingError
from zenith_core.evaluation.metrics import SIGNIFICANCE
from zenith_core.evaluation.walk_forward import Fold, WalkForward
from zenith_core.features.model_features import FEATURES
from zenith_core.features.targets import UNKNOWN, signal_labels
from zenith_core.forecasting.abstention import Limits, decide_signals
from zenith_core.forecasting.calibration import Calibrator, class_frequencies, direction_test, fit_calibrator
from zenith_core.inference import SIGNALS
from zenith_pipelines.models.ensemble import EnsembleConfig, fit_ensemble, importances, predict_probabilities
from zenith_pipelines.models.ensemble_onnx import signal_model_onnx
from zenith_pipelines.models.onnx_artifact import check_parity
from zenith_pipelines.models.training_inputs import (
    ModelInputs,
    Progress,
    fold_facts,
    ignore_progress,
    model_inputs,
    study_facts,
)

if TYPE_CHECKING:
    from sklearn.ensemble import VotingClassifier

DEFAULT_CONFIG, DEFAULT_SPLIT = EnsembleConfig(), WalkForward()
BLOCKS = 4  # of the first fold's training rows


@dataclass(frozen=True)
class SignalStudy:
    """The result of a study.

    signals:  a row per test session: date; sell, hold, buy (calibrated probabilities); likeliest, the most probable;
              signal and reason of `abstention.decide`; label ("" where not known yet)
    onnx:     the final model, ready to serve
    facts:    JSON-ready; identical for the same data, seed and machine
    """

    signals: pd.DataFrame
    onnx: bytes
    facts: dict[str, Any]


def study_signals(
    features: pd.DataFrame,
    columns: Sequence[str] = FEATURES,
    config: EnsembleConfig = DEFAULT_CONFIG,
    split: WalkForward = DEFAULT_SPLIT,
    on_progress: Progress = ignore_progress,
    *,
    usable: pd.Series | None = None,
) -> SignalStudy:
    """Forecast the signal of every test session with a model trained on its past, then train the model to serve.

    features:     by session: `columns`, close, volatility; NaN during warm-up only
    on_progress:  called with (trainings done, trainings)
    usable:       by session: False where a close is suspect, so that labels based on it are neither learned nor scored

    Raises TooShortHistory, NonFiniteInput, TrainingError or ParityError.
    """
    if split.gap < config.horizon:
        raise TrainingError(f"a gap of {split.gap} sessions leaks: labels reach {config.horizon} sessions ahead")
    inputs = model_inputs(features, columns, 1, split)
    label = partial(signal_labels, volatility=inputs.volatility, horizon=config.horizon, threshold=config.threshold)
    walk = _Walk(inputs, label(inputs.trainable_close(usable)), config)
    samples = len(inputs.origins)
    folds = [*split.split(samples), split.final(samples)]
    tables, facts, trainings = [], [], BLOCKS + len(folds)
    for number in range(BLOCKS):
        walk.cross_vote(folds[0], number, split.gap)
        on_progress(number + 1, trainings)
    for number, fold in enumerate(folds, start=BLOCKS + 1):
        model = walk.train(fold)
        tables.append(walk.forecast(model, fold))
        facts.append(fold_facts(inputs, fold, walk.training_rows(fold)) | model.facts)
        on_progress(number, trainings)
    return SignalStudy(
        signals=pd.concat(tables[:-1], ignore_index=True),
        onnx=_export(model, inputs),
        facts=study_facts(inputs, config.model_dump(), split, facts)
        | {
            "importances": dict(zip(inputs.columns, importances(model.vote).tolist(), strict=True)),
            "limits": model.limits.to_json(),
        },
    )


@dataclass(frozen=True)
class _SignalModel:
    """A trained and calibrated model.

    calibration_rows:  number of out-of-sample votes that calibrated it
    direction_p:       p-value of `direction_test` on these votes
    """

    vote: "VotingClassifier"
    calibrator: Calibrator
    limits: Limits
    calibration_rows: int
    direction_p: float

    @property
    def proven(self) -> bool:
        return self.direction_p < SIGNIFICANCE

    @property
    def facts(self) -> dict[str, Any]:
        calibration = {"rows": self.calibration_rows, **asdict(self.calibrator), "direction_p": self.direction_p}
        return {"calibration": calibration | {"proven": self.proven}}

    def probabilities(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.calibrator(predict_probabilities(self.vote, values))


class _Walk:
    """Train fold by fold, and store all out-of-sample votes (sessions, 3); NaN where there is none."""

    def __init__(self, inputs: ModelInputs, labels: NDArray[np.int8], config: EnsembleConfig) -> None:
        self.inputs, self.labels, self.config = inputs, labels, config
        self.votes = np.full((len(inputs.index), len(SIGNALS)), np.nan)

    def training_rows(self, fold: Fold) -> NDArray[np.int64]:
        """Return all labelled rows before the test and its gap, validation rows included: there is no early stopping.

        Raises TrainingError if there are fewer rows than blocks.
        """
        newest = fold.validation if fold.validation.size else fold.train
        rows = self.inputs.origins[: newest[-1] + 1]
        labelled_rows: NDArray[np.int64] = rows[self.labels[rows] != UNKNOWN]
        if len(labelled_rows) < BLOCKS:
            raise TrainingError(f"{len(labelled_rows)} labelled rows to train on: at least {BLOCKS} are needed")
        return labelled_rows

    def cross_vote(self, fold: Fold, number: int, gap: int) -> None:
        """Vote on block `number` of the fold's training rows with a model trained on the rest, `gap` sessions apart.

        If the rest lacks a class, the block gets no vote.
        """
        rows = self.training_rows(fold)
        block = np.array_split(rows, BLOCKS)[number]
        others = rows[(rows < block[0] - gap) | (rows > block[-1] + gap)]
        if len(np.unique(self.labels[others])) == len(SIGNALS):
            vote = fit_ensemble(self.config, self.inputs.values[others], self.labels[others])
            self.votes[block] = predict_probabilities(vote, self.inputs.values[block])

    def train(self, fold: Fold) -> _SignalModel:
        """Train on the fold, and calibrate on earlier models' out-of-sample votes for its rows."""
        rows = self.training_rows(fold)
        values, labels = self.inputs.values[rows], self.labels[rows]
        vote = fit_ensemble(self.config, values, labels)
        past_labels = self.labels[: rows[-1] + 1]  # the warm-up included, as in the baseline
        base_rates = class_frequencies(past_labels[past_labels != UNKNOWN], len(SIGNALS))
        calibration_rows = rows[np.isfinite(self.votes[rows, 0])]
        votes, outcomes = self.votes[calibration_rows], self.labels[calibration_rows]
        return _SignalModel(
            vote=vote,
            calibrator=fit_calibrator(votes, outcomes, base_rates, self.config.horizon),
            limits=Limits(values.min(axis=0), values.max(axis=0), base_rates),
            calibration_rows=len(calibration_rows),
            direction_p=direction_test(votes, outcomes, self.config.horizon)[1],
        )

    def forecast(self, model: _SignalModel, fold: Fold) -> pd.DataFrame:
        """Return the fold's test block as in SignalStudy.signals, empty for the final fold, and store the votes."""
        rows = self.inputs.origins[fold.test]
        values = self.inputs.values[rows]
        if len(rows):
            self.votes[rows] = predict_probabilities(model.vote, values)
        probabilities = model.calibrator(self.votes[rows])
        signal, reason = decide_signals(probabilities, values, model.limits, proven=model.proven)
        names = np.array([*SIGNALS, ""])  # UNKNOWN, -1, picks the last one
        return pd.DataFrame(
            {
                "date": self.inputs.index[rows],
                **dict(zip(SIGNALS, probabilities.T, strict=True)),
                "likeliest": names[probabilities.argmax(axis=1)],
                "signal": signal,
                "reason": reason,
                "label": names[self.labels[rows]],
            }
        )


def _export(model: _SignalModel, inputs: ModelInputs) -> bytes:
    """Export the model to ONNX. Raises ParityError if the export differs on any complete row."""
    rows = inputs.values[inputs.origins]
    onnx = signal_model_onnx(model.vote, model.calibrator, len(inputs.columns))
    check_parity(onnx, {"features": rows}, {"probabilities": model.probabilities(rows)})
    return onnx
