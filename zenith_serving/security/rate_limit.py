"""The rate limit of each caller, by key, else by address (docs/decisions/0026-keys-and-limits.md)."""

import logging
import math
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from starlette.types import ASGIApp, Receive, Scope, Send

from zenith_serving.problem_details import http_problem
from zenith_serving.security.authentication import KeyRing
from zenith_serving.security.client_identity import Caller, caller_of
from zenith_serving.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

EXEMPT = ("/health", "/metrics")
REDIS_TIMEOUT_SECONDS = 0.1
REDIS_PAUSE_SECONDS = 5  # without Redis after an error

_logger = logging.getLogger(__name__)


class Counts:
    """Counts the requests of each caller: in this process, or in a Redis that several processes share.

    Without Redis, or while it is unavailable, N workers let N times as many requests through.
    """

    def __init__(self, limit: RateLimitItem, redis_url: str | None = None) -> None:
        self.limit = limit
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._pool = _pool(redis_url) if redis_url else None
        self._shared = FixedWindowRateLimiter(_storage(self._pool)) if self._pool else None
        self._paused_until = 0.0

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._pool:
            await self._pool.aclose()

    async def seconds_to_wait(self, name: str) -> int:
        """Count a request and return 0, or the seconds until the caller may send the next one."""
        if self._shared and time.monotonic() >= self._paused_until:
            try:
                return await self._hit(self._shared, name)
            except StorageError as error:
                self._paused_until = time.monotonic() + REDIS_PAUSE_SECONDS
                _logger.warning("rate limits: redis is unavailable, each worker counts by itself")
                _logger.debug("redis: %r", error)
        return await self._hit(self._local, name)

    async def _hit(self, limiter: FixedWindowRateLimiter, name: str) -> int:
        if await limiter.hit(self.limit, name):
            return 0
        resets_at = (await limiter.get_window_stats(self.limit, name)).reset_time
        return max(1, math.ceil(resets_at - time.time()))


class RateLimit:
    """Answers 429 to a caller above its limit. Programs on this machine have none."""

    def __init__(self, app: ASGIApp, keys: KeyRing, counts: Counts) -> None:
        self._app = app
        self._keys = keys
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        app = self._app
        if scope["type"] == "http" and scope["path"] not in EXEMPT:
            caller = caller_of(scope, self._keys)
            if caller.kind != "loopback" and (seconds := await self._counts.seconds_to_wait(caller.name)):
                app = http_problem(HTTPStatus.TOO_MANY_REQUESTS, self._headers(caller, seconds))
        await app(scope, receive, send)

    def _headers(self, caller: Caller, seconds: int) -> dict[str, str]:
        """Return Retry-After, and the RateLimit fields of the IETF draft."""
        policy = "key" if caller.kind.startswith("key") else "address"
        limit = self._counts.limit
        return {
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{policy}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit": f'"{policy}";r=0;t={seconds}',
        }


def open_counts(settings: Settings) -> Counts | None:
    """Make the counts of the settings; None if `ZENITH_RATE_LIMIT` is off."""
    if settings.zenith_rate_limit == "off":
        return None
    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    return Counts(parse(settings.zenith_rate_limit), url)


def _pool(url: str) -> "ConnectionPool":
    from redis.asyncio import ConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    timeouts = {"socket_timeout": REDIS_TIMEOUT_SECONDS, "socket_connect_timeout": REDIS_TIMEOUT_SECONDS}
    return ConnectionPool.from_url(url, **timeouts, retry=Retry(NoBackoff(), 0))


def _storage(pool: "ConnectionPool") -> RedisStorage:
    return RedisStorage(
        "async+redis://",  # the pool has the address
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="zenith:limits",
        connection_pool=pool,  # type: ignore[arg-type]  # passed on unchanged
    )
