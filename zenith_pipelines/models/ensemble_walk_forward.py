"""The walk-forward study of the signal model: out-of-sample signals, the model to serve, and how both came about.

One path trains every fold and the final model. Before the first fold is trained, its training rows are cut into blocks,
and each block is asked of a model that was trained on the others. Every vote for a row that its model had not seen,
from these blocks and from earlier tests, calibrates the next model and decides whether it may speak. So later folds
pay nothing for calibration, and none knows anything that was not known when its test began.
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
from zenith_core.forecasting.abstention import Limits, decide
from zenith_core.forecasting.calibration import Calibrator, class_frequencies, direction_test, fit_calibrator
from zenith_core.inference import SIGNALS
from zenith_pipelines.models.ensemble import EnsembleConfig, fit_ensemble, importances, predict_probabilities
from zenith_pipelines.models.ensemble_onnx import signal_model_onnx
from zenith_pipelines.models.onnx_artifact import check_parity
from zenith_pipelines.models.training_inputs import ModelInputs, Progress, fold_facts, model_inputs, silent, study_facts

if TYPE_CHECKING:
    from sklearn.ensemble import VotingClassifier

DEFAULT_CONFIG, DEFAULT_SPLIT = EnsembleConfig(), WalkForward()
BLOCKS = 4  # that the first fold's training rows are cut into


@dataclass(frozen=True)
class SignalStudy:
    """What a study found.

    signals:  a row per test session: date; sell, hold, buy (calibrated probabilities); likeliest, the most probable;
              signal and reason, as `abstention.decide` gives them; label ("" where not known yet)
    onnx:     the final model, ready to serve
    facts:    JSON-ready; the same for the same data, seed and machine
    """

    signals: pd.DataFrame
    onnx: bytes
    facts: dict[str, Any]


def study_signals(
    features: pd.DataFrame,
    columns: Sequence[str] = FEATURES,
    config: EnsembleConfig = DEFAULT_CONFIG,
    split: WalkForward = DEFAULT_SPLIT,
    on_progress: Progress = silent,
    *,
    usable: pd.Series | None = None,
) -> SignalStudy:
    """Give every test session a signal from a model that knows only its past, then train the model to serve.

    features:     by session: `columns`, close, volatility; NaN during warm-up only
    on_progress:  called with (trainings done, trainings)
    usable:       by session: False where a close is suspect, so that no label that rests on it is learned or scored

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
        trained = walk.train(fold)
        tables.append(walk.ask(trained, fold))
        facts.append(fold_facts(inputs, fold, walk.training_rows(fold)) | trained.facts)
        on_progress(number, trainings)
    return SignalStudy(
        signals=pd.concat(tables[:-1], ignore_index=True),
        onnx=_export(trained, inputs),
        facts=study_facts("ensemble", inputs, config, split, facts)
        | {
            "importances": dict(zip(inputs.columns, importances(trained.vote).tolist(), strict=True)),
            "limits": trained.limits.to_json(),
        },
    )


@dataclass(frozen=True)
class _Trained:
    """A model that may be asked.

    calibration_rows:  how many earlier answers calibrated it
    direction_p:       of `direction_test` on these answers
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
    """Trains fold after fold, and remembers each vote (sessions, 3) given out of sample; NaN where none was."""

    def __init__(self, inputs: ModelInputs, labels: NDArray[np.int8], config: EnsembleConfig) -> None:
        self.inputs, self.labels, self.config = inputs, labels, config
        self.votes = np.full((len(inputs.index), len(SIGNALS)), np.nan)

    def training_rows(self, fold: Fold) -> NDArray[np.int64]:
        """All labelled rows before the test and its gap: nothing is stopped early, so validation rows are learned.

        Raises TrainingError if they are too few to be cut into blocks.
        """
        newest = fold.validation if fold.validation.size else fold.train
        rows = self.inputs.origins[: newest[-1] + 1]
        labelled: NDArray[np.int64] = rows[self.labels[rows] != UNKNOWN]
        if len(labelled) < BLOCKS:
            raise TrainingError(f"{len(labelled)} labelled rows to train on: at least {BLOCKS} are needed")
        return labelled

    def cross_vote(self, fold: Fold, number: int, gap: int) -> None:
        """Ask for block `number` of the fold's training rows, of a model trained on the rest but for `gap` sessions.

        If the rest lacks a class there is no such model, and no vote.
        """
        rows = self.training_rows(fold)
        block = np.array_split(rows, BLOCKS)[number]
        others = rows[(rows < block[0] - gap) | (rows > block[-1] + gap)]
        if len(np.unique(self.labels[others])) == len(SIGNALS):
            vote = fit_ensemble(self.config, self.inputs.values[others], self.labels[others])
            self.votes[block] = predict_probabilities(vote, self.inputs.values[block])

    def train(self, fold: Fold) -> _Trained:
        """Train on the fold, and calibrate on the votes that earlier models gave unseen for its rows."""
        rows = self.training_rows(fold)
        values, labels = self.inputs.values[rows], self.labels[rows]
        vote = fit_ensemble(self.config, values, labels)
        known = self.labels[: rows[-1] + 1]  # those of the warm-up too: the baseline knows them
        base_rates = class_frequencies(known[known != UNKNOWN], len(SIGNALS))
        seen = rows[np.isfinite(self.votes[rows, 0])]
        answers, outcomes = self.votes[seen], self.labels[seen]
        return _Trained(
            vote=vote,
            calibrator=fit_calibrator(answers, outcomes, base_rates, self.config.horizon),
            limits=Limits(values.min(axis=0), values.max(axis=0), base_rates),
            calibration_rows=len(seen),
            direction_p=direction_test(answers, outcomes, self.config.horizon)[1],
        )

    def ask(self, trained: _Trained, fold: Fold) -> pd.DataFrame:
        """The fold's test block as in SignalStudy.signals; remembers the votes. Without rows for the final fold."""
        rows = self.inputs.origins[fold.test]
        values = self.inputs.values[rows]
        if len(rows):
            self.votes[rows] = predict_probabilities(trained.vote, values)
        probabilities = trained.calibrator(self.votes[rows])
        signal, reason = decide(probabilities, values, trained.limits, proven=trained.proven)
        names = np.array([*SIGNALS, ""])  # UNKNOWN is -1 and so picks the last one
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


def _export(trained: _Trained, inputs: ModelInputs) -> bytes:
    """The model as ONNX. Raises ParityError unless it answers as the model does on every complete row."""
    rows = inputs.values[inputs.origins]
    onnx = signal_model_onnx(trained.vote, trained.calibrator, len(inputs.columns))
    check_parity(onnx, {"features": rows}, {"probabilities": trained.probabilities(rows)})
    return onnx
