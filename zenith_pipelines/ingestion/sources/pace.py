"""One pace of requests to a source, for all processes of a home, and through a Redis for all of its hosts.

A refusal (HTTP 429) pauses all of them. Requests are counted by pyrate-limiter (docs/decisions/0052-one-pace.md).
"""

import logging
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pyrate_limiter import AbstractBucket, Duration, Rate, RateItem, RedisBucket, SQLiteBucket

from zenith_pipelines.datasets.atomic_files import write_atomically

if TYPE_CHECKING:
    from redis import Redis

SHORTEST_PAUSE = 10.0  # seconds after a refusal that names no time
LONGEST_PAUSE = 3600.0  # a longer Retry-After is asked again after it
_REDIS_TIMEOUT_SECONDS = 1.0

Answer = TypeVar("Answer")
_logger = logging.getLogger(__name__)


class Pace(Protocol):
    """When the next request may be sent."""

    def wait(self, longest: float) -> float:
        """Count a request and return 0 when it may be sent; return the seconds until then if they exceed `longest`."""
        ...

    def pause(self, seconds: float) -> None:
        """Let no process send a request for so long, or for SHORTEST_PAUSE if that is longer."""
        ...


class SharedPace:
    """The pace of a home, or of a Redis if there is one. While Redis is unavailable, the pace of the home counts.

    name:       of the source
    per_minute: the most requests a minute, of all processes together
    sleep:      replaced in tests
    """

    def __init__(
        self,
        name: str,
        per_minute: int,
        home: Path,
        redis_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        rates = [Rate(per_minute, Duration.MINUTE)]
        self._name = name
        self._home = _HomeCounts(home / "pace", name, rates)
        self._redis = _RedisCounts(redis_url, name, rates) if redis_url else None
        self._sleep = sleep

    def wait(self, longest: float) -> float:
        """See `Pace.wait`."""
        while seconds := self._ask(lambda counts: counts.take()):
            if seconds > longest:
                return seconds
            self._sleep(seconds)
            longest -= seconds
        return 0.0

    def pause(self, seconds: float) -> None:
        """See `Pace.pause`."""
        bounded = min(max(seconds, SHORTEST_PAUSE), LONGEST_PAUSE)
        self._ask(lambda counts: counts.begin_pause(bounded))

    def _ask(self, question: Callable[["_Counts"], Answer]) -> Answer:
        if self._redis:
            from redis.exceptions import RedisError

            try:
                return question(self._redis)
            except RedisError as error:
                _logger.warning("pace of %s: redis is unavailable, each home counts by itself", self._name)
                _logger.debug("redis: %r", error)
        return question(self._home)


class _Counts(ABC):
    """The requests and the pause of one source, where several processes find them."""

    @abstractmethod
    def seconds_of_pause(self) -> float:
        """Return the rest of the pause; 0 without one."""

    @abstractmethod
    def begin_pause(self, seconds: float) -> None:
        """Pause for so long; a pause that ends later stays."""

    @abstractmethod
    def bucket(self) -> AbstractContextManager[AbstractBucket]:
        """Open the bucket of requests."""

    def take(self) -> float:
        """Count a request and return 0, or return the seconds until one may be sent."""
        if seconds := self.seconds_of_pause():
            return seconds
        with self.bucket() as bucket:
            request = RateItem("request", time.time_ns() // 1_000_000)
            if bucket.put(request):
                bucket.leak(request.timestamp)
                return 0.0
            return max(0.05, int(bucket.waiting(request)) / 1000)  # type: ignore[arg-type]  # not asynchronous


class _HomeCounts(_Counts):
    """In the folder `pace` of a home."""

    def __init__(self, folder: Path, name: str, rates: list[Rate]) -> None:
        self._folder = folder
        self._requests = folder / f"{name}.db"
        self._pause = folder / f"{name}.until"
        self._rates = rates

    def seconds_of_pause(self) -> float:
        try:
            seconds = float(self._pause.read_text()) - time.time()
        except (OSError, ValueError):
            return 0.0
        return min(seconds, LONGEST_PAUSE) if seconds > 0 else 0.0

    def begin_pause(self, seconds: float) -> None:
        if seconds > self.seconds_of_pause():
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._pause, repr(time.time() + seconds).encode())

    def take(self) -> float:
        try:
            return super().take()
        except sqlite3.OperationalError as error:  # locked for long, a full disk: the counts are as they were
            _logger.warning("%s cannot be used (%s): waiting", self._requests, error)
            return SHORTEST_PAUSE
        except sqlite3.DatabaseError as error:
            _logger.warning("%s is damaged (%s): counting from nothing", self._requests, error)
            self._requests.unlink(missing_ok=True)
            return SHORTEST_PAUSE

    def bucket(self) -> AbstractContextManager[AbstractBucket]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return closing(SQLiteBucket.init_from_file(self._rates, db_path=str(self._requests), use_file_lock=True))


class _RedisCounts(_Counts):
    """In a Redis. Its own clock ends the pause, because clocks of hosts differ."""

    def __init__(self, url: str, name: str, rates: list[Rate]) -> None:
        self._url = url
        self._requests = f"zenith:pace:{name}:requests"
        self._pause = f"zenith:pace:{name}:pause"
        self._rates = rates

    def seconds_of_pause(self) -> float:
        return max(0.0, float(self._redis.pttl(self._pause)) / 1000)

    def begin_pause(self, seconds: float) -> None:
        if seconds > self.seconds_of_pause():
            self._redis.set(self._pause, 1, px=int(seconds * 1000))

    def bucket(self) -> AbstractContextManager[AbstractBucket]:
        return nullcontext(RedisBucket.init(self._rates, self._redis, self._requests))

    @cached_property
    def _redis(self) -> "Redis":
        from redis import Redis

        timeout = _REDIS_TIMEOUT_SECONDS
        return Redis.from_url(self._url, socket_timeout=timeout, socket_connect_timeout=timeout)
