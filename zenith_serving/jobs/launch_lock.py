"""A lock that all serving processes of a machine share, and all machines where they share a Redis."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from zenith_serving.errors import DagsterUnavailable
from zenith_serving.settings import Settings

if TYPE_CHECKING:
    from redis.lock import Lock

WAIT_SECONDS = 30.0  # for whoever launches a run just now
_HELD_SECONDS = 60.0  # after which Redis takes the lock from a machine that was switched off

_logger = logging.getLogger(__name__)


@contextmanager
def launch_lock(settings: Settings, subject: str) -> Iterator[None]:
    """Hold the lock of a subject. Raises DagsterUnavailable if it cannot be had, for then nothing may be launched.

    A Redis that is away is logged and done without: then only processes of one machine are kept apart.
    """
    name = hashlib.sha256(subject.encode()).hexdigest()[:16]  # a file's name, whatever the subject has in it
    folder = settings.home / "serving-locks"
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(folder / f"{name}.lock", timeout=WAIT_SECONDS))
        except Timeout:
            raise DagsterUnavailable("another request has been launching the same for too long") from None
        except OSError as error:
            _logger.warning("no lock under ZENITH_HOME: %r", error)
            raise DagsterUnavailable(
                "ZENITH_HOME cannot be written here, so runs cannot be launched one at a time"
            ) from None
        if settings.redis_url is not None:
            _hold_in_redis(held, settings.redis_url.get_secret_value(), name)
        yield


def _hold_in_redis(held: ExitStack, url: str, name: str) -> None:
    from redis import Redis, RedisError  # its LockError is one

    client = held.enter_context(Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0))
    lock = client.lock(f"zenith:launch:{name}", timeout=_HELD_SECONDS, blocking_timeout=WAIT_SECONDS)
    try:
        if not lock.acquire():
            raise DagsterUnavailable("another machine has been launching the same for too long")
    except RedisError as error:
        _logger.warning("no lock in Redis: %r", error)
        return
    held.callback(_release, lock)


def _release(lock: "Lock") -> None:
    """It goes by itself if Redis went away meanwhile, or if it was held for too long."""
    from redis import RedisError

    try:
        lock.release()
    except RedisError as error:
        _logger.warning("lock in Redis: %r", error)
