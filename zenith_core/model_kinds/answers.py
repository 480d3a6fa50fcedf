"""The kind of model that answers each task, for all tickers and for single ones: the setting `ZENITH_ANSWERS`."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from zenith_core.errors import InvalidTicker, UserError
from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.declaration import ModelKind
from zenith_core.model_kinds.table import MODEL_KINDS, Kind, kinds_of, select_kinds
from zenith_core.model_kinds.tasks import TASKS, Task

Answers = Mapping[Task, Kind]
"""The kind that answers each task."""

_FORM = "write price=gru, or AAPL:price=gru for one ticker"


@dataclass(frozen=True)
class AnswerTable:
    """The answering kinds: for all tickers, and for those that have their own."""

    for_all: Answers
    by_ticker: Mapping[str, Answers] = field(default_factory=dict)

    def of(self, ticker: str) -> Answers:
        """Return the answering kinds of a validated ticker."""
        return self.by_ticker.get(ticker, self.for_all)


def select_answers(text: str, kinds: Mapping[Kind, ModelKind]) -> AnswerTable:
    """Return the answering kinds that a list such as `price=gru,AAPL:price=lstm` names.

    kinds:  those in use; the first of a task answers it where the list says nothing
    Raises UserError for an entry of another form, an invalid ticker, an unknown task, a kind that is not in use or has
    another task, or a second entry for the same ticker and task.
    """
    choices: dict[str, dict[Task, Kind]] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        ticker, task, kind = _parts(entry, kinds)
        if task in choices.setdefault(ticker, {}):
            raise UserError(f"ZENITH_ANSWERS: {entry} is the second entry for the same question: keep one")
        choices[ticker][task] = kind
    first = {task: next(kind.name for kind in kinds.values() if kind.task == task) for task in TASKS}
    for_all = {**first, **choices.pop("", {})}
    return AnswerTable(for_all, {ticker: {**for_all, **own} for ticker, own in choices.items()})


def _parts(entry: str, kinds: Mapping[Kind, ModelKind]) -> tuple[str, Task, Kind]:
    """Return ticker, task and kind of an entry; the ticker is empty if it is for all."""
    ticker, colon, choice = entry.rpartition(":")
    name, equals, kind = (part.strip() for part in choice.partition("="))
    if not equals or (colon and not ticker.strip()):
        raise UserError(f"ZENITH_ANSWERS: {entry} has another form: {_FORM}")
    task = next((task for task in TASKS if task == name), None)
    if task is None:
        raise UserError(f"ZENITH_ANSWERS: no task {name}; there are {', '.join(TASKS)}")
    rivals = _of_task(task, kinds)
    if kind not in rivals:
        raise UserError(
            f"ZENITH_ANSWERS: no {task} model {kind} in use; there is {', '.join(rivals)}: ZENITH_MODELS adds others"
        )
    try:
        return validate_ticker(ticker.strip()) if colon else "", task, kind
    except InvalidTicker as error:
        raise UserError(f"ZENITH_ANSWERS: {ticker.strip()} is {error}") from None


def _of_task(task: Task, kinds: Mapping[Kind, ModelKind]) -> Collection[Kind]:
    return [kind.name for kind in kinds.values() if kind.task == task]


def _answers_in_use() -> AnswerTable:
    try:
        return select_answers(os.environ.get("ZENITH_ANSWERS", ""), MODEL_KINDS)
    except UserError:  # the settings refuse it with a message, which an import cannot
        return select_answers("", MODEL_KINDS)


def check_answers(text: str, models: str) -> str:
    """Return the value of `ZENITH_ANSWERS`, for that of `ZENITH_MODELS`. Raises UserError as `select_answers` does."""
    select_answers(text, select_kinds(models))
    return text


ANSWERS: AnswerTable = _answers_in_use()
"""The answering kinds, as `ZENITH_ANSWERS` was at import."""


def signal_kind(ticker: str, horizon: int | None = None) -> Kind:
    """Return the kind in use that is declared for signals of `horizon` sessions; else the kind that answers.

    ticker:  validated
    """
    answering = ANSWERS.of(ticker)["signal"]
    if horizon is None:
        return answering
    by_horizon = {MODEL_KINDS[kind].horizon: kind for kind in (*kinds_of("signal"), answering)}
    return by_horizon.get(horizon, answering)
