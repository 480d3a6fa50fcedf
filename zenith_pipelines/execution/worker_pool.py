"""Runs of many tickers in worker processes, a few at a time, with progress for the caller.

A slot is a thread with one worker process. A worker runs several tickers, because importing the learning libraries
takes seconds, and is then replaced, because each Keras fit keeps some memory. A worker that dies fails its own run
only: it shares a pipe with its slot, and no lock with other workers. The ticker then gets a second run, and also if
the database of Dagster's events was unavailable; a run that failed for another reason is not repeated.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import Empty, Queue
from typing import Any, TypeVar
from uuid import uuid4

from zenith_pipelines.dagster_runtime.dead_runs import REASON, fail_dead_run, fail_dead_runs
from zenith_pipelines.dagster_runtime.failures import is_unavailable
from zenith_pipelines.dagster_runtime.progress import ForwardedProgress
from zenith_pipelines.execution.ticker_run import TickerRun, run_ticker
from zenith_pipelines.patience import renew_budget
from zenith_pipelines.settings import Settings

TICKERS_PER_WORKER = 8  # about 5 fits each, 18 MB kept per fit: bounds a worker near 1.5 GB
_POLL_SECONDS = 0.1
_CLEANUP_SECONDS = 5.0

Outcomes = dict[str, dict[str, Any]]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Update:
    """`done` of `total` steps of a ticker's stage are finished."""

    ticker: str
    stage: str
    done: int
    total: int


_progress_pipe: list[Connection] = []  # in a worker: its pipe to its slot, set by `_init_worker`


def run_batch(runs: Sequence[TickerRun], jobs: int, on_update: Callable[[Update], None]) -> Outcomes:
    """Run all, `jobs` at a time; return the outcomes by ticker, in the order of `runs`.

    `on_update` is called in this thread.
    """
    queue: Queue[TickerRun] = Queue()
    for run in runs:
        queue.put(run)
    updates: Queue[Update] = Queue()
    outcomes: Outcomes = {}
    stop = threading.Event()
    slots = min(jobs, len(runs))
    with ThreadPoolExecutor(max_workers=slots) as threads:
        pending = {threads.submit(_process_queue, queue, outcomes, _WorkerSlot(updates), stop) for _ in range(slots)}
        try:
            next_cleanup = 0.0
            while pending:
                if time.monotonic() >= next_cleanup:  # a dead run may hold the slot that our runs wait for
                    _ignore_outage(lambda: fail_dead_runs(Settings()))
                    next_cleanup = time.monotonic() + _CLEANUP_SECONDS
                futures, pending = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                _drain(updates, on_update)
                _raise_first(futures)
        except BaseException:
            stop.set()
            _drain(queue, lambda _: None)
            for worker in multiprocessing.active_children():
                _kill(worker)  # files are written atomically; the slot then fails the run
            raise
    renew_budget()
    _ignore_outage(lambda: fail_dead_runs(Settings()))
    return {run.ticker: outcomes[run.ticker] for run in runs}


class _WorkerSlot:
    """A worker process, replaced when it dies, and the pipe for its progress."""

    def __init__(self, updates: "Queue[Update]") -> None:
        self._updates = updates
        self._receiver, self._sender = multiprocessing.get_context("spawn").Pipe(duplex=False)
        self._worker = _start_worker(self._sender)

    def run(self, run: TickerRun) -> tuple[dict[str, Any], bool]:
        """Return the outcome, and True if a second run may succeed."""
        try:
            return _result(self._worker.submit(_run_in_worker, run), self._receiver, self._updates), False
        except BrokenProcessPool:
            _ignore_outage(lambda: fail_dead_run(Settings(), run.run_id))
            self._worker = _start_worker(self._sender)
            return _failed(REASON), True
        except Exception as error:  # the other tickers go on
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
            return _failed(reason), is_unavailable(error)

    def close(self) -> None:
        self._worker.shutdown()


def _process_queue(queue: "Queue[TickerRun]", outcomes: Outcomes, slot: _WorkerSlot, stop: threading.Event) -> None:
    """Run the queue, one ticker after the other; repeat once a run that may succeed the second time."""
    try:
        while True:
            try:
                run = queue.get_nowait()
            except Empty:
                return
            outcomes[run.ticker], may_succeed = slot.run(run)
            if may_succeed and not stop.is_set():
                outcomes[run.ticker], _ = slot.run(replace(run, run_id=str(uuid4())))
    finally:
        slot.close()


def _ignore_outage(work: Callable[[], object]) -> None:
    """Run `work`; ignore a database outage, because the next cleanup repeats it."""
    try:
        work()
    except Exception as error:
        if not is_unavailable(error):
            raise


def _failed(reason: str) -> dict[str, Any]:
    return {"status": "failed", "reason": reason, "exit_code": 1}


def _result(future: "Future[dict[str, Any]]", receiver: Connection, updates: "Queue[Update]") -> dict[str, Any]:
    while not future.done() or receiver.poll():
        if receiver.poll(_POLL_SECONDS):
            updates.put(receiver.recv())
    return future.result()


def _start_worker(sender: Connection) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_init_worker,
        initargs=(sender,),
        max_tasks_per_child=TICKERS_PER_WORKER,
    )


def _init_worker(sender: Connection) -> None:
    os.setpgrp()  # Ctrl-C in the terminal is the parent's to handle
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _progress_pipe.append(sender)


def _exit_with_parent() -> None:
    """Kill the worker and its child processes when its parent has died."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os.killpg(0, signal.SIGKILL)


def _kill(worker: BaseProcess) -> None:
    """Kill a worker and its child processes: Dagster's `tail` of its output would keep that open for ever."""
    if worker.pid:
        with suppress(ProcessLookupError):  # it has no group of its own yet
            os.killpg(worker.pid, signal.SIGKILL)
    worker.kill()


def _run_in_worker(run: TickerRun) -> dict[str, Any]:
    forward = ForwardedProgress(
        lambda stage, done, total: _progress_pipe[0].send(Update(run.ticker, stage, done, total))
    )
    return run_ticker(run, forward)


def _drain(queue: "Queue[Item]", take: Callable[[Item], object]) -> None:
    while True:
        try:
            item = queue.get_nowait()
        except Empty:
            return
        take(item)


def _raise_first(futures: "set[Future[None]]") -> None:
    for future in futures:
        future.result()
