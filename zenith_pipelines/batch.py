"""Many tickers: each in a process of its own choosing, a few at a time, with progress told to the caller.

A slot is a thread with one worker process. Workers are kept from ticker to ticker, because importing
the learning libraries costs seconds, and renewed now and then, because each Keras fit keeps some memory.
A worker that dies fails its own ticker only.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.queues import Queue as MultiprocessingQueue
from queue import Empty, Queue
from typing import Any

from zenith_pipelines.progress import ForwardedProgress
from zenith_pipelines.ticker_run import TickerRun, run_ticker

TICKERS_PER_WORKER = 8  # about 5 fits each, 18 MB kept per fit: bounds a worker near 1.5 GB


@dataclass(frozen=True)
class Update:
    """`done` of `total` steps of a ticker's stage."""

    ticker: str
    stage: str
    done: int
    total: int


_updates: "list[MultiprocessingQueue[Update]]" = []  # a worker's way to its parent, put there by the initializer


def run_batch(runs: Sequence[TickerRun], jobs: int, on_update: Callable[[Update], None]) -> dict[str, dict[str, Any]]:
    """Run all, `jobs` at a time; return each ticker's outcome in the order asked. `on_update` runs in this thread."""
    updates = multiprocessing.get_context("spawn").Queue()
    todo: Queue[TickerRun] = Queue()
    for run in runs:
        todo.put(run)
    outcomes: dict[str, dict[str, Any]] = {}
    slots = min(jobs, len(runs))
    with ThreadPoolExecutor(max_workers=slots) as threads:
        pending = {threads.submit(_work_off, todo, outcomes, updates) for _ in range(slots)}
        try:
            while pending:
                done, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                _drain(updates, on_update)
                _raise_first(done)
        except BaseException:
            _drop(todo)
            raise
    return {run.ticker: outcomes[run.ticker] for run in runs}


def _work_off(
    todo: "Queue[TickerRun]", outcomes: dict[str, dict[str, Any]], updates: "MultiprocessingQueue[Update]"
) -> None:
    worker = _worker(updates)
    try:
        while True:
            try:
                run = todo.get_nowait()
            except Empty:
                return
            try:
                outcomes[run.ticker] = worker.submit(_run_in_worker, run).result()
            except BrokenProcessPool:
                outcomes[run.ticker] = _died()
                worker = _worker(updates)
    finally:
        worker.shutdown()


def _worker(updates: "MultiprocessingQueue[Update]") -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_adopt,
        initargs=(updates,),
        max_tasks_per_child=TICKERS_PER_WORKER,
    )


def _adopt(updates: "MultiprocessingQueue[Update]") -> None:
    _updates.append(updates)


def _run_in_worker(run: TickerRun) -> dict[str, Any]:
    forward = ForwardedProgress(lambda stage, done, total: _updates[0].put(Update(run.ticker, stage, done, total)))
    return run_ticker(run, forward)


def _died() -> dict[str, Any]:
    return {"status": "failed", "reason": "the worker process was killed; see Dagster's event log", "exit_code": 1}


def _drain(updates: "MultiprocessingQueue[Update]", on_update: Callable[[Update], None]) -> None:
    while True:
        try:
            on_update(updates.get_nowait())
        except Empty:
            return


def _drop(todo: "Queue[TickerRun]") -> None:
    while not todo.empty():
        todo.get_nowait()


def _raise_first(done: "set[Future[None]]") -> None:
    for future in done:
        future.result()
