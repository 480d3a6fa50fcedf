"""What all tests share: hypothesis draws the same examples each time, and times nothing; the longest files begin."""

import sys

import pytest
from absl import logging as absl_logging
from hypothesis import settings

settings.register_profile("zenith", deadline=None, derandomize=True)
settings.load_profile("zenith")

# When logging is configured anew (Alembic does it), absl, which Keras logs through, closes the stream it found at its
# import unless that is sys.stderr still. Under CliRunner or capsys it is not, and pytest's own capture was closed.
absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items):
    """Two processes share the files: begun last, a file of minutes would keep one of them alone at the end."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


@pytest.fixture
def redis():
    """A real redis-server of the test's own."""
    from tests.serving.redis_server import RedisServer  # not for all tests

    server = RedisServer()
    yield server
    server.close()
