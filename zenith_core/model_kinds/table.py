"""The table of the kinds of model, and those that are in use: adding a row adds a kind everywhere.

Its trainer is one file of zenith_pipelines. A package adds a kind with an entry point of the group `zenith.models`.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from zenith_core.errors import NotAvailable, UserError
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.options import EnsembleOptions, NetworkOptions, ensemble_options
from zenith_core.model_kinds.tasks import TASKS, Task

Kind = str
"""The name of a kind of model."""

ENTRY_POINTS = "zenith.models"

SIGNAL_HORIZONS = (1, 20)
"""The horizons of signals, in sessions, that have a row beside the default one."""

_ROWS = (
    ModelKind(
        name="lstm",
        task="price",
        title="LSTM",
        description="A Keras LSTM that forecasts 1 to 30 sessions ahead, with its walk-forward evidence.",
        trainer="zenith_pipelines.models.training:train_lstm",
        options=NetworkOptions,
        default=True,
        work=70.0,
        libraries=frozenset({"keras"}),
    ),
    ModelKind(
        name="gru",
        task="price",
        title="GRU",
        description="A Keras GRU that forecasts 1 to 30 sessions ahead, with its walk-forward evidence.",
        trainer="zenith_pipelines.models.gru:train_gru",
        options=NetworkOptions,
        work=65.0,
        libraries=frozenset({"keras"}),
    ),
    ModelKind(
        name="ensemble",
        task="signal",
        title="Ensemble",
        description="RandomForest and XGBoost voting on sell, hold or buy, with their walk-forward evidence.",
        trainer="zenith_pipelines.models.training:train_ensemble",
        options=EnsembleOptions,
        default=True,
        work=15.0,
        libraries=frozenset({"scikitlearn", "xgboost"}),
    ),
    *(
        ModelKind(
            name=f"ensemble_{horizon}",
            task="signal",
            title=f"Ensemble {horizon}",
            description=f"The ensemble with signals of the next {horizon} sessions.",
            trainer=f"zenith_pipelines.models.training:train_ensemble_{horizon}",
            options=ensemble_options(horizon),
            work=15.0,
            libraries=frozenset({"scikitlearn", "xgboost"}),
        )
        for horizon in SIGNAL_HORIZONS
    ),
)


def select_kinds(text: str) -> dict[Kind, ModelKind]:
    """Return the kinds that a list such as `lstm,ensemble` names, in the table's order; the defaults for none.

    Packages are asked only for names that the table lacks. Raises UserError for an unknown name, a package that cannot
    be loaded, or a task without a kind.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    rows = {row.name: row for row in _ROWS}
    if not names:
        return {name: row for name, row in rows.items() if row.default}
    others = {name: _from_package(name, rows) for name in names if name not in rows}
    kinds = {name: row for name, row in {**rows, **others}.items() if name in names}
    for task in TASKS:
        if not any(kind.task == task for kind in kinds.values()):
            raise UserError(f"ZENITH_MODELS names no {task} model: add {_default(task)}")
    return kinds


def _from_package(name: str, rows: Mapping[Kind, ModelKind]) -> ModelKind:
    from importlib.metadata import entry_points

    packages = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name not in packages:
        raise UserError(f"ZENITH_MODELS: no model {name}; there are {', '.join([*rows, *sorted(packages)])}")
    try:
        kind = packages[name].load()
    except Exception as error:  # a package may raise anything
        raise UserError(f"ZENITH_MODELS: the package of {name} cannot be loaded: {error}") from None
    if not isinstance(kind, ModelKind) or kind.name != name:
        raise UserError(f"ZENITH_MODELS: the entry point {name} of {ENTRY_POINTS} is not a ModelKind of that name")
    return kind


def _default(task: Task) -> Kind:
    return next(row.name for row in _ROWS if row.task == task and row.default)


def _kinds_in_use() -> dict[Kind, ModelKind]:
    try:
        return select_kinds(os.environ.get("ZENITH_MODELS", ""))
    except UserError:  # the settings refuse it with a message, which an import cannot
        return select_kinds("")


MODEL_KINDS: Mapping[Kind, ModelKind] = _kinds_in_use()
"""The kinds in use, by name, as `ZENITH_MODELS` was at import."""

KINDS: tuple[Kind, ...] = tuple(MODEL_KINDS)
TRAINING_ORDER: tuple[Kind, ...] = tuple(sorted(KINDS, key=lambda name: MODEL_KINDS[name].work))
"""The kinds in use, the cheapest first."""

if TYPE_CHECKING:
    KindInUse = str
else:
    KindInUse = Literal[KINDS]
    """The name of a kind in use, for requests."""


def kinds_of(task: Task) -> tuple[Kind, ...]:
    """Return the kinds in use that have a task."""
    return tuple(name for name, kind in MODEL_KINDS.items() if kind.task == task)


def kinds_with(option: str) -> tuple[Kind, ...]:
    """Return the kinds in use whose configuration has an option."""
    return tuple(name for name, kind in MODEL_KINDS.items() if option in kind.options.model_fields)


def title_of(kind: Kind) -> str:
    """Return the name of a kind of model in reports."""
    return MODEL_KINDS[kind].title if kind in MODEL_KINDS else kind


def known_task(kind: Kind, tagged: str | None = None) -> Task:
    """Return the task as `task_of` does. Raises NotAvailable if it is not known."""
    if task := task_of(kind, tagged):
        return task
    raise NotAvailable(f"no kind of model is named {kind}: ZENITH_MODELS names those of packages")


def task_of(kind: Kind, tagged: str | None = None) -> Task | None:
    """Return the task of a kind of model, or None if it is not known.

    tagged:  the task that the tags or facts of a version name; decisive for a kind that is not in the table
    """
    row = MODEL_KINDS.get(kind) or next((row for row in _ROWS if row.name == kind), None)
    if row:
        return row.task
    return next((task for task in TASKS if task == tagged), None)
