"""Processes forked from one that has the libraries: to start Python and import them takes seconds for each process."""

import multiprocessing
import os

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.forked_imports"])


def start(function, *arguments, environment=None):
    """Start `function` in a process of its own, with `environment` added to the variables of the test session."""
    process = FORKED.Process(target=_run, args=(dict(environment or os.environ), function, arguments))
    process.start()
    return process


def _run(environment, function, arguments):
    os.environ.clear()
    os.environ.update(environment)
    function(*arguments)
