"""Processes forked from one that has the libraries: to start Python and import them takes seconds for each process."""

import multiprocessing
import os
from functools import partial

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.forked_imports"])


def start(function, *arguments, environment=None):
    """Start `function` in a process of its own, with `environment` added to the variables of the test session."""
    process = FORKED.Process(target=_run, args=(dict(environment or os.environ), function, arguments))
    process.start()
    return process


def fork_workers(patch, prepare=None):
    """Fork the workers of batches that this process runs, with the present environment.

    prepare: a function that each of them calls first
    """
    from zenith_pipelines.execution import worker_pool

    patch.setattr(worker_pool.multiprocessing, "get_context", lambda _: FORKED)
    patch.setattr(worker_pool, "_init_worker", partial(_init_worker, dict(os.environ), prepare))


def _init_worker(environment, prepare, sender):
    from zenith_pipelines.execution.worker_pool import _init_worker

    os.environ.clear()
    os.environ.update(environment)
    _init_worker(sender)
    if prepare:
        prepare()


def _run(environment, function, arguments):
    os.environ.clear()
    os.environ.update(environment)
    function(*arguments)
