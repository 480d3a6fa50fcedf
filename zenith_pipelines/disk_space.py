"""Free space at the home, and the space that tickers need, as measured."""

import shutil
from dataclasses import dataclass

from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.settings import Settings, prepare_home
from zenith_pipelines.tickers import SERVED

FIRST_BYTES = 9_700_000  # that a first run of 3,270 sessions leaves: tests/integration/test_main_job.py
AGAIN_BYTES = 5_100_000  # that each further retraining leaves
REFRESH_BYTES = 260_000  # in a batch of its own: benchmarks/storage.py
MIN_FREE_BYTES = 1e9  # a ticker needs some 10 MB; a database without space stops everything
WEEKS_AHEAD = 4  # of retraining and refreshes for which the space should last
_REFRESHES_A_WEEK = 5


@dataclass(frozen=True)
class DiskSpace:
    """Free bytes, and those that WEEKS_AHEAD weeks of the served tickers need."""

    free: float
    needed: float
    tickers: int

    @property
    def is_critical(self) -> bool:
        """True if the databases may soon fail."""
        return self.free < MIN_FREE_BYTES

    @property
    def is_short(self) -> bool:
        """True if it will not last."""
        return self.is_critical or self.free < self.needed


def disk_space(settings: Settings) -> DiskSpace:
    """Measure the space at ZENITH_HOME. Raises UserError if the home cannot be written."""
    free = shutil.disk_usage(prepare_home(settings)).free
    tickers = len(DatasetStore(settings.data_uri).tickers(SERVED))
    return DiskSpace(free, WEEKS_AHEAD * weekly_bytes(tickers), tickers)


def weekly_bytes(tickers: int) -> int:
    """Return the bytes that a week of refreshes and one retraining leave, before clean-up."""
    return tickers * (AGAIN_BYTES + _REFRESHES_A_WEEK * REFRESH_BYTES)
