"""Progress bars of a batch: one per ticker, with its stage and the remaining time."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from zenith_core.asset_selection import STAGES
from zenith_core.model_kinds.table import MODEL_KINDS
from zenith_pipelines.execution.worker_pool import Update

# Rough shares of a ticker's time, so that the bars move evenly.
_WEIGHTS = {stage: 1.0 for stage in STAGES} | {f"{kind.name}_model": kind.work for kind in MODEL_KINDS.values()}
_WEIGHTS |= {"backtest_report": 4.0}


class BatchProgress:
    """Progress bars on stderr, shown only on a terminal."""

    def __init__(self, tickers: list[str], *, visible: bool, stages: Sequence[str] = STAGES) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[ticker]:<10}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[stage]:<28}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not (visible and Console(stderr=True).is_terminal),
        )
        self._tasks: dict[str, TaskID] = {
            ticker: self._progress.add_task(
                "", total=sum(_WEIGHTS[stage] for stage in stages), ticker=ticker, stage="waiting", start=False
            )
            for ticker in tickers
        }
        self._work: dict[str, dict[str, float]] = {ticker: {} for ticker in tickers}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, update: Update) -> None:
        """Move the ticker's bar."""
        task = self._tasks[update.ticker]
        self._progress.start_task(task)
        self._work[update.ticker][update.stage] = _WEIGHTS[update.stage] * update.done / update.total
        stage = f"{update.stage} {update.done}/{update.total}" if update.total > 1 else update.stage
        self._progress.update(task, completed=sum(self._work[update.ticker].values()), stage=stage)
