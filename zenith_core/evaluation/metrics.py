"""Metrics of walk-forward forecasts and signals, always beside naive baselines on the same rows.

Results are ready for JSON: plain numbers, text and dicts with text keys; None where a figure is undefined, never NaN.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zenith_core.arrays import Floats, Ints
from zenith_core.errors import NonFiniteInput
from zenith_core.evaluation.probability_scores import calibration_scores, pinball_metrics
from zenith_core.forecasting.calibration import direction_test
from zenith_core.inference import SIGNALS
from zenith_core.names import HEADLINE_HORIZON, SIGNIFICANCE
from zenith_core.statistics.diebold_mariano import diebold_mariano, loss_test
from zenith_core.statistics.performance import finite

__all__ = [
    "HEADLINE_HORIZON",
    "SIGNIFICANCE",
    "diebold_mariano",
    "known_frequencies",
    "price_metrics",
    "signal_metrics",
]

_MIN_PROBABILITY = 1e-6  # in the logarithm: float32 probabilities may be 0


def price_metrics(
    forecasts: pd.DataFrame, history: pd.Series | None = None, horizon: int = HEADLINE_HORIZON
) -> dict[str, Any]:
    """Score price forecasts (origin, horizon, target_date, close, forecast, lower, upper, actual, and q05 ... q95 if
    the quantiles are to be scored) by horizon.

    Errors are (forecast - actual) / close at the origin, fractions, so horizons and tickers compare. Rows whose
    actual is NaN have not matured: left out, and counted as `unscored`. The random walk forecasts the origin's
    close; `mase` is the MAE over the random walk's on the same rows, `skill` is 1 - MSE / the random walk's.
    `drift_skill` is against the random walk with the mean log return a session, from the first close of `history`
    (closes by session; by default the closes of the origins) to the origin: known without a model.
    `direction_accuracy` compares forecast and actual with the origin's close, where both moved; `base_rate_up` is the
    share of all moves that were up. `coverage` is the share of actuals within [lower, upper].
    `p_value` is of `diebold_mariano` against the random walk; `beats_naive` is p < SIGNIFICANCE, skill > 0 and
    drift_skill > 0: a model that has learned only the drift has not beaten the naive forecast.
    `pinball`, `pinball_static` and `pinball_skill` score the quantiles beside static rolling ones of `history`: see
    `pinball_metrics`.

    Returns {"horizon": ..., **the figures of that horizon, the nearest to `horizon`, "by_horizon": {"1": {...}, ...}}.
    Raises NonFiniteInput if a forecast or bound is NaN or infinite, or there is no row.
    """
    values = forecasts[["close", "forecast", "lower", "upper"]].to_numpy(dtype=float)
    if not len(values) or not np.isfinite(values).all():
        raise NonFiniteInput(f"forecasts must be finite and at least one: {len(values)} rows")
    rows = forecasts.sort_values("origin", kind="stable")
    horizons = sorted(int(horizon) for horizon in rows["horizon"].unique())
    if history is None:
        history = rows.drop_duplicates("origin").set_index("origin")["close"]
    by_horizon = {h: _horizon_metrics(rows[rows["horizon"] == h], h, history) for h in horizons}
    headline = min(by_horizon, key=lambda one: abs(one - horizon))
    by_name = {str(horizon): figures for horizon, figures in by_horizon.items()}
    return {"horizon": headline, **by_horizon[headline], "by_horizon": by_name}


def signal_metrics(
    signals: pd.DataFrame, horizon: int = HEADLINE_HORIZON, earlier_labels: Sequence[str] = ()
) -> dict[str, Any]:
    """Score signals (date, sell, hold, buy, signal, reason, label) on rows whose label is known; count the others.

    The baseline answers with the class frequencies known at each row: `earlier_labels` and the labels of rows at
    least `horizon` sessions back, because a label is known only then; each class starts with a count of 1. `brier` is
    the mean over rows of the sum over classes of (probability - outcome)^2, 0 to 2; `skill` is 1 - brier / the
    baseline's, and `p_value` the Diebold-Mariano test of that difference. `direction_p_value` is of `direction_test`,
    and `beats_naive` needs both below SIGNIFICANCE: a model of the size of moves alone has no signal.

    Accuracy, precision, recall, F1 and `confusion`, {label: {class: rows}}, are of the most probable class, also
    where the model abstained. Macro figures are means over the classes that occur as label or as most
    probable; a class never predicted has precision 0. `ece` and `reliability` are those of `calibration_scores`.
    `signalled` is the share of rows that say buy or sell, `abstained` counts the others by reason, if there is one.

    Raises NonFiniteInput if a probability is NaN or infinite.
    """
    probabilities = signals[list(SIGNALS)].to_numpy(dtype=float)
    if not np.isfinite(probabilities).all():
        raise NonFiniteInput("signal probabilities must be finite")
    label = _class_numbers(signals["label"])
    has_label = label >= 0
    without_label = int((~has_label).sum())
    counts = {"rows": int(has_label.sum()), "unlabelled": without_label, **_abstention(signals[has_label])}
    if not has_label.any():
        return counts | dict.fromkeys(_SIGNAL_FIGURES) | {"beats_naive": False}
    frequencies = known_frequencies(label, horizon, earlier_labels)[has_label]
    return (
        counts
        | _classification(label[has_label], probabilities[has_label].argmax(axis=1))
        | {"accuracy_baseline": finite((frequencies.argmax(axis=1) == label[has_label]).mean())}
        | _probability_scores(label[has_label], probabilities[has_label], frequencies, horizon)
        | calibration_scores(label[has_label], probabilities[has_label], SIGNALS)
    )


_SIGNAL_FIGURES = (
    *("accuracy", "accuracy_baseline", "precision", "recall", "f1", "confusion", "base_rates"),
    *("brier", "brier_baseline", "log_loss", "log_loss_baseline"),
    *("skill", "dm_statistic", "p_value", "direction_p_value"),
    *("ece", "ece_classwise", "reliability"),
)


def _horizon_metrics(rows: pd.DataFrame, horizon: int, history: pd.Series) -> dict[str, Any]:
    drift = _drift_forecast(rows, horizon, history)
    has_actual = rows["actual"].notna().to_numpy()
    columns = rows.loc[has_actual, ["close", "forecast", "lower", "upper", "actual"]].to_numpy(dtype=float)
    close, forecast, lower, upper, actual = columns.T
    error, naive_error, drift_error = ((guess - actual) / close for guess in (forecast, close, drift[has_actual]))
    skill, drift_skill = _skill(error**2, naive_error**2), _skill(error**2, drift_error**2)
    statistic, p_value = diebold_mariano(error, naive_error, horizon)
    return {
        "rows": len(actual),
        "unscored": int((~has_actual).sum()),
        "mae": _mean(np.abs(error)),
        "mae_random_walk": _mean(np.abs(naive_error)),
        "mse": _mean(error**2),
        "mse_random_walk": _mean(naive_error**2),
        "rmse": finite(np.sqrt(np.mean(error**2))) if len(error) else None,
        "mase": _ratio(np.abs(error), np.abs(naive_error)),
        "skill": skill,
        "drift_skill": drift_skill,
        **_direction(close, forecast, actual),
        "coverage": _mean((lower <= actual) & (actual <= upper)),
        "interval_width": _mean((upper - lower) / close),
        **pinball_metrics(rows[has_actual], horizon, history),
        "dm_statistic": finite(statistic),
        "p_value": finite(p_value),
        "beats_naive": bool(p_value < SIGNIFICANCE and (skill or 0) > 0 and (drift_skill or 0) > 0),
    }


def _drift_forecast(rows: pd.DataFrame, horizon: int, history: pd.Series) -> Floats:
    """Return the random walk with the mean drift of `history` up to each origin; no drift at its first close."""
    close = rows["close"].to_numpy(dtype=float)
    sessions = history.index.get_indexer(pd.DatetimeIndex(rows["origin"]))
    per_session = np.log(close / float(history.iloc[0])) / np.maximum(sessions, 1)
    forecast: Floats = close * np.exp(per_session * horizon)
    return forecast


def _direction(close: Floats, forecast: Floats, actual: Floats) -> dict[str, float | None]:
    has_moved = actual != close
    both = has_moved & (forecast != close)  # a forecast of no change has no direction
    right = (forecast[both] > close[both]) == (actual[both] > close[both])
    return {"direction_accuracy": _mean(right), "base_rate_up": _mean(actual[has_moved] > close[has_moved])}


def _class_numbers(names: pd.Series) -> Ints:
    """The position in SIGNALS, -1 for anything else. (n,)"""
    return np.asarray(pd.Index(SIGNALS).get_indexer(pd.Index(names, dtype=object)), dtype=np.int64)


def _abstention(signals: pd.DataFrame) -> dict[str, Any]:
    reasons = signals.loc[signals["signal"] == "hold"].get("reason", pd.Series(dtype=object))
    abstentions = {str(reason): int(rows) for reason, rows in reasons.value_counts().sort_index().items()}
    return {"signalled": _mean((signals["signal"] != "hold").to_numpy()), "abstained": abstentions}


def known_frequencies(label: Ints, horizon: int, earlier: Sequence[str]) -> Floats:
    """Return the class frequencies known at each row, (n, 3): of `earlier` labels and those `horizon` rows back."""
    start = 1.0 + np.bincount(_class_numbers(pd.Series(list(earlier), dtype=object)) + 1, minlength=4)[1:]
    outcomes = _one_hot(label)
    lag = min(horizon, len(outcomes))
    counts = np.concatenate([np.zeros((lag, len(SIGNALS))), outcomes.cumsum(axis=0)])[: len(outcomes)] + start
    frequencies: Floats = counts / counts.sum(axis=1, keepdims=True)
    return frequencies


def _one_hot(label: Ints) -> Floats:
    outcomes: Floats = (label[:, np.newaxis] == np.arange(len(SIGNALS))).astype(float)
    return outcomes


def _classification(label: Ints, likeliest: Ints) -> dict[str, Any]:
    counts = _one_hot(label).T @ _one_hot(likeliest)  # (label, likeliest)
    right, label_counts, class_counts = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    occur = (label_counts + class_counts) > 0
    return {
        "accuracy": _mean(label == likeliest),
        "precision": _mean((right / np.maximum(class_counts, 1))[occur]),
        "recall": _mean((right / np.maximum(label_counts, 1))[occur]),
        "f1": _mean((2 * right / np.maximum(label_counts + class_counts, 1))[occur]),
        "confusion": {
            name: {other: int(count) for other, count in zip(SIGNALS, row, strict=True)}
            for name, row in zip(SIGNALS, counts, strict=True)
        },
        "base_rates": {name: float(count / len(label)) for name, count in zip(SIGNALS, label_counts, strict=True)},
    }


def _probability_scores(label: Ints, probabilities: Floats, frequencies: Floats, horizon: int) -> dict[str, Any]:
    outcomes = _one_hot(label)
    brier, baseline = (((guess - outcomes) ** 2).sum(axis=1) for guess in (probabilities, frequencies))
    skill = _skill(brier, baseline)
    statistic, p_value = loss_test(brier - baseline, horizon)
    _, direction_p_value = direction_test(probabilities, label, horizon)
    return {
        "brier": _mean(brier),
        "brier_baseline": _mean(baseline),
        "log_loss": _log_loss(probabilities, label),
        "log_loss_baseline": _log_loss(frequencies, label),
        "skill": skill,
        "dm_statistic": finite(statistic),
        "p_value": finite(p_value),
        "direction_p_value": direction_p_value,
        "beats_naive": bool(p_value < SIGNIFICANCE and direction_p_value < SIGNIFICANCE and (skill or 0) > 0),
    }


def _log_loss(probabilities: Floats, label: Ints) -> float | None:
    likelihood = np.clip(probabilities[np.arange(len(label)), label], _MIN_PROBABILITY, 1)
    return _mean(-np.log(likelihood))


def _mean(values: NDArray[Any]) -> float | None:
    return finite(values.mean()) if values.size else None


def _ratio(values: Floats, benchmark: Floats) -> float | None:
    return finite(values.mean() / benchmark.mean()) if values.size and benchmark.any() else None


def _skill(loss: Floats, benchmark: Floats) -> float | None:
    ratio = _ratio(loss, benchmark)
    return None if ratio is None else 1 - ratio
