"""The leaderboard of a task: all models of a ticker on the rows that they have in common, beside the naive forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.evaluation.champion_challenger import compare_prices, compare_signals, price_pairs, signal_pairs
from zenith_core.evaluation.metrics import price_metrics, signal_metrics
from zenith_core.features.targets import labels_before
from zenith_core.inference import SIGNALS
from zenith_core.model_kinds.tasks import TASKS, Task
from zenith_core.words import counted

_COLUMNS: Mapping[Task, tuple[list[str], list[str]]] = {
    "price": (["origin", "horizon"], ["forecast", "lower", "upper", "actual"]),
    "signal": (["date"], list(SIGNALS)),
}
"""The columns of the evidence that name a row, and those that must be finite."""

_FIGURES = ("skill", "p_value", "beats_naive", "coverage", "ece")


@dataclass(frozen=True)
class Contender:
    """A model version with its walk-forward forecasts.

    evidence:     forecasts or signals, one row per out-of-sample forecast; None if there are none
    horizon:      sessions ahead of a signal, or of the forecasts that are scored
    threshold:    of a signal's labels, in deviations
    cpu_seconds:  of its training; None if not recorded
    note:         the reason if it has no evidence
    """

    kind: str
    version: int | None = None
    data_end: str | None = None
    evidence: pd.DataFrame | None = None
    horizon: int = 0
    threshold: float | None = None
    cpu_seconds: float | None = None
    note: str | None = None


def leaderboard(task: Task, contenders: Sequence[Contender], answering: str, history: pd.DataFrame) -> dict[str, Any]:
    """Compare the models of a task on their common rows with a known outcome. JSON-ready, the smallest loss first.

    answering:  the kind that answers: the others are tested against it, and price models scored at its horizon
    history:    close and volatility by session, for the naive forecast of signals

    `rows` counts the common rows, `own_rows` those of each model. The p-values are of one-sided Diebold-Mariano tests,
    small if the model is better: `p_value` than the naive forecast, `p_value_answering` than the answering model.
    Signals of another horizon or threshold have other labels: they have a `note` and no figures.
    """
    entrants = _comparable(task, contenders, answering)
    tables = _common_rows(task, entrants)
    scores = {one.kind: _score(task, tables[one.kind], entrants[0], history) for one in entrants}
    rivals = {kind: table for kind, table in tables.items() if answering in tables and kind != answering}
    p_values = {kind: _p_better(task, table, tables[answering], entrants[0].horizon) for kind, table in rivals.items()}
    models = [
        _row(task, one, scores.get(one.kind, {}), p_values.get(one.kind), answers=one.kind == answering)
        for one in contenders
    ]
    return {
        "answering": answering,
        "loss": TASKS[task].loss,
        "horizon": entrants[0].horizon if entrants else None,
        "rows": scores[entrants[0].kind]["rows"] if entrants else 0,
        "models": sorted(models, key=lambda row: (row["value"] is None, row["value"] or 0)),
    }


def _comparable(task: Task, contenders: Sequence[Contender], answering: str) -> list[Contender]:
    """Return the models with evidence whose outcomes are those of the first; the answering one comes first."""
    entrants = sorted((one for one in contenders if one.evidence is not None), key=lambda one: one.kind != answering)
    if task == "price":  # each forecasts all horizons
        return entrants
    return [one for one in entrants if _labels(one) == _labels(entrants[0])]


def _labels(contender: Contender) -> tuple[int, float | None]:
    return contender.horizon, contender.threshold


def _common_rows(task: Task, entrants: Sequence[Contender]) -> dict[str, pd.DataFrame]:
    """Return the evidence of each model on the rows that all have with a known outcome."""
    tables = {one.kind: _scored(task, one) for one in entrants}
    if not tables:
        return {}
    common = reduce(lambda rows, other: rows.intersection(other), (table.index for table in tables.values()))
    return {kind: table[table.index.isin(common)].reset_index() for kind, table in tables.items()}


def _scored(task: Task, contender: Contender) -> pd.DataFrame:
    """Return the rows with a known outcome, indexed by their origin."""
    table = pd.DataFrame(contender.evidence)
    keys, numbers = _COLUMNS[task]
    has_outcome = np.isfinite(table[numbers].to_numpy(dtype=float)).all(axis=1)
    if task == "signal":
        has_outcome &= table["label"].isin(SIGNALS).to_numpy()
    rows: pd.DataFrame = table[has_outcome].set_index(keys)
    return rows


def _score(task: Task, table: pd.DataFrame, reference: Contender, history: pd.DataFrame) -> dict[str, Any]:
    """Return the metrics on the common rows, at the horizon of the reference; no figures without rows."""
    horizon, threshold = reference.horizon, reference.threshold or 0.0
    if task == "price":
        rows = table[table["horizon"] == horizon]
        return price_metrics(rows, horizon=horizon) if len(rows) else {"rows": 0}
    if table.empty:
        return {"rows": 0}
    first = table["date"].min()
    return signal_metrics(table.assign(signal=""), horizon, labels_before(history, first, horizon, threshold))


def _p_better(task: Task, table: pd.DataFrame, reference: pd.DataFrame, horizon: int) -> float | None:
    """Return the p-value that the model's loss is no smaller than the reference's, over all horizons."""
    if task == "price":
        worse = compare_prices(price_pairs(table, reference))["p_worse"]
    else:
        worse = compare_signals(signal_pairs(table, reference), horizon)["p_worse"]
    return None if worse is None else 1 - float(worse)


def _row(
    task: Task, contender: Contender, figures: dict[str, Any], p_value: float | None, *, answers: bool
) -> dict[str, Any]:
    own_rows = 0
    if contender.evidence is not None:
        outcomes = _scored(task, contender)
        at_horizon = outcomes.index.get_level_values("horizon") == contender.horizon if task == "price" else slice(None)
        own_rows = len(outcomes[at_horizon])
    note = contender.note
    if contender.evidence is not None and not figures:
        sessions = counted(contender.horizon, "session")
        note = f"its signals are of {sessions} and threshold {contender.threshold}: other labels"
    return {
        "model_type": contender.kind,
        "version": contender.version,
        "data_end": contender.data_end,
        "answers": answers,
        "own_rows": own_rows,
        "value": figures.get(TASKS[task].loss),
        "naive": figures.get(TASKS[task].baseline),
        **{name: figures.get(name) for name in _FIGURES},
        "p_value_answering": p_value,
        "train_cpu_seconds": contender.cpu_seconds,
        "note": note,
    }
