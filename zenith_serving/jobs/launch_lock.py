"""A lock shared by all serving processes of a machine, and by all machines that share a Redis."""

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

WAIT_SECONDS = 30.0  # for another request that is launching a run
_EXPIRY_SECONDS = 60.0  # Redis then frees the lock of a machine that was switched off

_logger = logging.getLogger(__name__)


@contextmanager
def launch_lock(settings: Settings, subject: str) -> Iterator[None]:
    """Hold the lock of a subject. Raises DagsterUnavailable if it cannot be acquired: nothing may be launched then.

    If Redis is unavailable, this is logged, and the lock covers the processes of one machine only.
    """
    name = hashlib.sha256(subject.encode()).hexdigest()[:16]  # a valid file name for any subject
    folder = settings.home / "serving-locks"
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / f"{name}.lock", timeout=WAIT_SECONDS))
        except Timeout:
            raise DagsterUnavailable("another request has been launching the same run for too long") from None
        except OSError as error:
            _logger.warning("no lock under ZENITH_HOME: %r", error)
            raise DagsterUnavailable(
                "runs cannot be launched: the service has no write access to ZENITH_HOME"
            ) from None
        if settings.redis_url is not None:
            _hold_in_redis(stack, settings.redis_url.get_secret_value(), name)
        yield


def _hold_in_redis(stack: ExitStack, url: str, name: str) -> None:
    from redis import Redis, RedisError  # LockError is a subclass

    client = stack.enter_context(Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0))
    lock = client.lock(f"zenith:launch:{name}", timeout=_EXPIRY_SECONDS, blocking_timeout=WAIT_SECONDS)
    try:
        if not lock.acquire():
            raise DagsterUnavailable("another machine has been launching the same run for too long")
    except RedisError as error:
        _logger.warning("no lock in Redis: %r", error)
        return
    stack.callback(_release, lock)


def _release(lock: "Lock") -> None:
    """Release the lock; if Redis fails, it expires by itself."""
    from redis import RedisError

    try:
        lock.release()
    except RedisError as error:
        _logger.warning("lock in Redis not released: %r", error)
