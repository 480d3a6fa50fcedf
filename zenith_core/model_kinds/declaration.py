"""The declaration of a kind of model, the same for Zenith's own and for those of other packages."""

import re
from dataclasses import dataclass, field

from zenith_core.model_kinds.options import ModelOptions
from zenith_core.model_kinds.tasks import TASKS, Task

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_RESERVED = ("all",)


@dataclass(frozen=True)
class ModelKind:
    """A kind of model: a row of the table in `zenith_core.model_kinds.table`, or an entry point of `zenith.models`.

    name:         names assets (`<name>_model`, `<name>_backtest`), registered models (`<name>-<TICKER>`) and options
    task:         the question that it answers
    title:        its name in reports
    description:  of its asset, one sentence
    trainer:      `module:function` of `zenith_pipelines.models.training.Trainer`, imported when it trains
    options:      its configuration
    default:      True if it is trained unless `ZENITH_MODELS` says otherwise
    work:         its share of a ticker's time, for progress bars; cheaper kinds train first
    libraries:    shown as the kinds of its asset in Dagster
    """

    name: str
    task: Task
    title: str
    description: str
    trainer: str
    options: type[ModelOptions] = ModelOptions
    default: bool = False
    work: float = 10.0
    libraries: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        """Raise ValueError for a name or task that Zenith cannot use."""
        if not _NAME.fullmatch(self.name) or self.name in _RESERVED:
            raise ValueError(f"{self.name!r} cannot name a kind of model: use lower-case letters, digits and _")
        if self.task not in TASKS:
            raise ValueError(f"the kind {self.name} has the task {self.task!r}: the tasks are {', '.join(TASKS)}")

    @property
    def noun(self) -> str:
        """Its title inside a sentence."""
        return self.title if self.title.isupper() else self.title.lower()

    @property
    def horizon(self) -> int:
        """Its horizon in sessions, unless a training says otherwise."""
        horizon: int = self.options.model_fields["horizon"].default
        return horizon
