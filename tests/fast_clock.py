"""A clock that runs fast: `datetime.now` of Zenith's modules is a simulated moment, which a test sets.

Dagster's and MLflow's own clocks are not touched. `time.time` is not either: it measures waits and leftovers.
"""

import datetime as standard
import importlib
import time
from pathlib import Path

PACKAGES = ("zenith_core", "zenith_pipelines")
ROOT = Path(__file__).parents[1]


class _AnyDatetime(type):
    """Makes an ordinary datetime an instance of the clock's class, which modules see instead of theirs."""

    def __instancecheck__(cls, value):
        return isinstance(value, standard.datetime)


class FastClock:
    """A simulated moment, from which time goes on as it does."""

    def __init__(self, moment):
        self.set(moment)

    def set(self, moment):
        """Make it that moment now."""
        self._moment, self._since = moment, time.monotonic()

    def now(self):
        """The simulated time, later at each call: datasets are named after it."""
        return self._moment + standard.timedelta(seconds=time.monotonic() - self._since)

    def install(self, patch):
        """Let each module of Zenith that asks for the time get it from here."""
        clock = self

        class Simulated(standard.datetime, metaclass=_AnyDatetime):
            @classmethod
            def now(cls, tz=None):
                return clock.now().astimezone(tz)

        for module in modules_with_a_clock():
            assert issubclass(module.datetime, standard.datetime)
            patch.setattr(module, "datetime", Simulated)


def modules_with_a_clock():
    """The modules of Zenith that call `datetime.now`."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files if _asks(path))
    modules = [importlib.import_module(name) for name in names]
    return [module for module in modules if hasattr(module, "datetime")]  # another has it in a text


def _asks(path):
    return "datetime.now(" in path.read_text()
