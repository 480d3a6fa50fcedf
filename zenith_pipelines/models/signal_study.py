"""The walk-forward study of the signal model: out-of-sample signals, the model to serve, and how both came about."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.errors import TrainingError
from zenith_core.features import FEATURES
from zenith_core.inference import SIGNALS
from zenith_core.splits import Fold, WalkForward
from zenith_core.targets import UNKNOWN, signal_labels
from zenith_pipelines.models.artifact import check_parity
from zenith_pipelines.models.ensemble import EnsembleConfig, fit_ensemble, importances, predict_probabilities
from zenith_pipelines.models.ensemble_onnx import signal_model_onnx
from zenith_pipelines.models.inputs import ModelInputs, Progress, fold_facts, model_inputs, silent

if TYPE_CHECKING:
    from sklearn.ensemble import VotingClassifier

DEFAULT_CONFIG, DEFAULT_SPLIT = EnsembleConfig(), WalkForward()


@dataclass(frozen=True)
class SignalStudy:
    """What a study found.

    signals:  date, sell, hold, buy (probabilities), signal, label ("" where not known yet); a row per test session
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
    on_progress:  called with (folds done, folds)
    usable:       by session: False where a close is suspect, so that no label that rests on it is learned or scored

    Raises TooShortHistory, NonFiniteInput, TrainingError or ParityError.
    """
    if split.gap < config.horizon:
        raise TrainingError(f"a gap of {split.gap} sessions leaks: labels reach {config.horizon} sessions ahead")
    inputs = model_inputs(features, columns, 1, split)
    label = partial(signal_labels, volatility=inputs.volatility, horizon=config.horizon, threshold=config.threshold)
    learned = label(inputs.trainable_close(usable))
    folds = [*split.split(len(inputs.origins)), split.final(len(inputs.origins))]
    tables, facts = [], []
    for number, fold in enumerate(folds, start=1):
        rows = _training_rows(inputs, fold, learned)
        model = fit_ensemble(config, inputs.values[rows], learned[rows])
        facts.append(fold_facts(inputs, fold, rows))
        if fold.test.size:
            tables.append(_signal_table(inputs, inputs.origins[fold.test], model, learned))
        on_progress(number, len(folds))
    return SignalStudy(
        signals=pd.concat(tables, ignore_index=True),
        onnx=_export(model, inputs),
        facts={
            "model": "ensemble",
            "config": asdict(config),
            "split": asdict(split),
            "features": list(inputs.columns),
            "data_end": str(inputs.index[-1].date()),
            "folds": facts[:-1],
            "final": facts[-1],
            "importances": dict(zip(inputs.columns, importances(model).tolist(), strict=True)),
        },
    )


def _training_rows(inputs: ModelInputs, fold: Fold, labels: NDArray[np.int8]) -> NDArray[np.int64]:
    """Rows to train on: nothing is stopped early or calibrated here, so the validation rows are learned as well."""
    newest = fold.validation if fold.validation.size else fold.train
    rows: NDArray[np.int64] = inputs.origins[: newest[-1] + 1]
    known: NDArray[np.bool_] = labels[rows] != UNKNOWN
    return rows[known]


def _signal_table(
    inputs: ModelInputs, rows: NDArray[np.int64], model: "VotingClassifier", labels: NDArray[np.int8]
) -> pd.DataFrame:
    probabilities = predict_probabilities(model, inputs.values[rows])
    # UNKNOWN is -1 and so picks the last name.
    names = np.array([*SIGNALS, ""])
    return pd.DataFrame(
        {
            "date": inputs.index[rows],
            **dict(zip(SIGNALS, probabilities.T, strict=True)),
            "signal": names[probabilities.argmax(axis=1)],
            "label": names[labels[rows]],
        }
    )


def _export(model: "VotingClassifier", inputs: ModelInputs) -> bytes:
    """The model as ONNX. Raises ParityError unless it answers as the model does on every complete row."""
    rows = inputs.values[inputs.origins]
    onnx = signal_model_onnx(model, len(inputs.columns))
    check_parity(onnx, {"features": rows}, {"probabilities": predict_probabilities(model, rows)})
    return onnx
