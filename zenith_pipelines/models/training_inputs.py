"""Inputs of every study: a checked feature table as plain arrays, and the sessions to forecast from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.errors import NonFiniteInput, TooShortHistory, TrainingError
from zenith_core.evaluation.walk_forward import Fold, WalkForward

Progress = Callable[[int, int], None]
"""Called with (units of work done, units in total)."""


def ignore_progress(units: int, total: int) -> None:
    """Do nothing: the default `Progress`."""


@dataclass(frozen=True)
class ModelInputs:
    """A feature table (n sessions) as arrays.

    index:       (n,) session dates
    columns:     names of the model's features
    values:      (n, features) float32; NaN only before the first origin
    close:       (n,) adjusted close
    volatility:  (n,) daily, a fraction
    origins:     (m,) rows to forecast from, consecutive, the last is n - 1
    """

    index: pd.DatetimeIndex
    columns: tuple[str, ...]
    values: NDArray[np.float32]
    close: NDArray[np.float64]
    volatility: NDArray[np.float64]
    origins: NDArray[np.int64]

    def trainable_close(self, usable: pd.Series | None) -> NDArray[np.float64]:
        """Return the closes, NaN where `usable` (by session) is False: no target may depend on those."""
        if usable is None:
            return self.close
        return np.where(usable.reindex(self.index, fill_value=False).to_numpy(dtype=bool), self.close, np.nan)

    def span(self, samples: NDArray[np.int64]) -> list[str]:
        """Return first and last date of samples (positions in `origins`), ISO; empty for none."""
        return [str(self.index[self.origins[i]].date()) for i in samples[[0, -1]]] if samples.size else []


def model_inputs(features: pd.DataFrame, columns: Sequence[str], window: int, split: WalkForward) -> ModelInputs:
    """Check a feature table and find the origins with `window` complete rows.

    Raises NonFiniteInput for NaN or infinity after the warm-up (the rows before the first complete one), TrainingError
    for a volatility of 0 (constant prices), TooShortHistory for too few sessions for `split`.
    """
    values = features[list(columns)].to_numpy(dtype=np.float32)
    close = features["close"].to_numpy(dtype=np.float64)
    volatility = features["volatility"].to_numpy(dtype=np.float64)
    complete = np.isfinite(values).all(axis=1) & np.isfinite(close) & np.isfinite(volatility)
    first = int(complete.argmax()) if complete.any() else len(features)
    _require_sessions(len(features), len(features) - first - window + 1, split)
    _require_finite(features[[*columns, "close", "volatility"]].iloc[first:])
    if not (volatility[first:] > 0).all():
        day = features.index[first + int((volatility[first:] <= 0).argmax())].date()
        raise TrainingError(f"volatility is 0 on {day}: constant prices cannot be modelled")
    index = pd.DatetimeIndex(features.index)
    origins = np.arange(first + window - 1, len(features))
    return ModelInputs(index, tuple(columns), values, close, volatility, origins)


def _require_sessions(sessions: int, origins: int, split: WalkForward) -> None:
    if origins < split.min_samples:
        minimum = sessions - origins + split.min_samples
        raise TooShortHistory(
            f"{sessions} sessions are too few: warm-up, window and {split.folds} walk-forward folds need "
            f"about {minimum if origins > 0 else max(minimum, split.min_samples)}"
        )


def _require_finite(table: pd.DataFrame) -> None:
    values = table.to_numpy(dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise NonFiniteInput(
            f"{table.columns[column]} is {values[row, column]} on {table.index[row].date()}: "
            "after the warm-up every model input must be a finite number"
        )


def fold_facts(inputs: ModelInputs, fold: Fold, train_rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return first and last date of each part of a fold, and its number of training rows. JSON-ready."""
    return {
        "train": inputs.span(fold.train),
        "validation": inputs.span(fold.validation),
        "test": inputs.span(fold.test),
        "train_rows": len(train_rows),
    }


def study_facts(
    inputs: ModelInputs, config: Mapping[str, Any], split: WalkForward, folds: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the facts of a study, JSON-ready; the last fold is the final model's."""
    return {
        "config": dict(config),
        "split": asdict(split),
        "features": list(inputs.columns),
        "data_end": str(inputs.index[-1].date()),
        "folds": list(folds[:-1]),
        "final": folds[-1],
    }
