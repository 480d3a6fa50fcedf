"""What a library does to logging leaves pytest's capture open: without it every later test of a process fails."""

import logging.config
import sys
from contextlib import redirect_stderr
from io import StringIO

import absl.logging


def test_logging_configured_anew_under_a_replaced_stderr_leaves_the_first_one_open():
    assert absl.logging.get_absl_handler()
    captured = sys.stderr
    with redirect_stderr(StringIO()):
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    assert not captured.closed
