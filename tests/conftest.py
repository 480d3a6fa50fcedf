"""Settings that all tests share: the order of files, repeatable hypothesis examples, compiled programs kept."""

import gc
import os
import re
import sys
from pathlib import Path

import pytest
from absl import logging as absl_logging
from hypothesis import settings

from tests.waiting import PATIENCE
from zenith_pipelines import patience

# To look for garbage among the millions of objects that imports make took a third of the time to collect the tests.
gc.set_threshold(100_000, 50, 100)

# On a busy machine each wait is long, and tests read all that a command prints.
patience._SILENT_SECONDS = PATIENCE

settings.register_profile("zenith", deadline=None, derandomize=True)
settings.load_profile("zenith")

# When logging is configured again (Alembic does it), absl, which Keras logs through, closes the stream it found at its
# import unless that is still sys.stderr. Under CliRunner or capsys it is not, and pytest's own capture was closed.
absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)

# Every training would compile the same network again in its own state folder. The limit, never reached, makes JAX lock
# the folder against other processes.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(2**30))

# Half of the time that it takes to compile a network goes into making the program fast, which then runs for one epoch.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# The longest first: a file of minutes that begins last would leave the other processes idle at the end.
LONGEST = (
    "integration/test_main_job.py",
    "integration/test_dead_runs.py",
    "integration/test_up.py",
    "integration/test_databases.py",
    "integration/test_launching.py",
    "integration/page/test_everyone.py",
    "integration/page/test_changes.py",
    "integration/page/test_page.py",
    "integration/test_interrupts.py",
    "integration/test_batch.py",
    "homes/test_older_homes.py",
    "integration/test_tickers_and_jobs.py",  # this and the two below use the home that test_main_job.py trains first
    "integration/test_doc_examples.py",
    "integration/test_as_of.py",
    "integration/test_ui.py",
    "integration/test_truth_and_noise.py",
    "serving/test_served.py",
    "pipelines/production/test_promotion.py",
)
ALL_SLOW = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow", re.MULTILINE)


def pytest_ignore_collect(collection_path, config):
    """Leave out a file whose tests are all slow where slow tests are: to import it can take seconds."""
    if "not slow" in config.option.markexpr and collection_path.suffix == ".py":
        return bool(ALL_SLOW.search(collection_path.read_text())) or None
    return None


def pytest_collection_finish():
    """Never look for garbage among what the imports and the collection made: it stays to the end."""
    gc.freeze()


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items):
    """Begin with the longest files, then integration, then the others."""
    items.sort(key=_rank)


def _rank(item):
    path = item.path.as_posix()
    ranks = (rank for rank, name in enumerate(LONGEST) if path.endswith(name))
    return next(ranks, len(LONGEST) + ("integration" not in item.path.parts))


@pytest.fixture(autouse=True)
def patient_again():
    """Let the next test wait as a run does, although this one may have run a command, which is brief."""
    yield
    patience.be_patient()


@pytest.fixture
def redis():
    """A real redis-server of the test's own."""
    from tests.serving.redis_server import RedisServer  # not for all tests

    server = RedisServer()
    yield server
    server.close()
