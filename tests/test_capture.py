"""Reconfigured logging must not close pytest's capture, or every later test of the process fails."""

import logging.config
import sys
from contextlib import redirect_stderr
from io import StringIO

import absl.logging


def test_logging_reconfigured_under_another_stderr_leaves_the_first_one_open():
    assert absl.logging.get_absl_handler()
    stderr = sys.stderr
    with redirect_stderr(StringIO()):
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    assert not stderr.closed
