"""The cache of answers in a Redis that several processes share.

    zenith:2:<generation>:<ticker>:<key>     an answer, JSON, with its own expiry
    zenith:2:<generation>:<ticker>           the ticker's index: the keys of its answers by expiry time
    zenith:2:counts                          hits and misses of all processes

To clear a ticker, read its index and delete the keys in it. To clear all, start a new generation, as the pipelines' job
clear_prediction_cache does. Neither searches Redis.

When Redis fails, or refuses writes because it is full or read only, no request tries it again: only `check` does, which
the watcher calls every two seconds. Until then the cache in memory takes over. So a Redis that hangs costs
REDIS_TIMEOUT_SECONDS once.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from zenith_core.names import CACHE_GENERATION_KEY
from zenith_serving.errors import CacheUnavailable
from zenith_serving.prediction.cache import LocalCache, Scope

REDIS_TIMEOUT_SECONDS = 0.1
PREFIX = "zenith:2:"  # the 2 is the version of what is stored
COUNTS = PREFIX + "counts"

_logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class RedisCache:
    """Shared answers; `fallback` while Redis is unavailable."""

    scope: Scope = "all processes"
    is_local = False

    def __init__(self, url: str, ttl: int, fallback: LocalCache) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._redis = Redis.from_url(
            url,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._ttl = ttl
        self._fallback = fallback
        self._is_unavailable = False
        self._refusal: str | None = None  # Redis' words, if it is reached and refuses
        self._generation: str | None = None  # read from Redis at first use
        self._counts = {"hits": 0, "misses": 0}  # not yet added to those in Redis
        self._guard = Lock()  # for _counts

    def peek(self, ticker: str, key: str) -> bytes | None:
        """Return None: memory is used only while Redis is unavailable."""
        return None

    def get(self, ticker: str, key: str, kind: type[BaseModel]) -> bytes | None:
        """Return the answer, or None. An entry that is not valid for `kind` counts as a miss and is overwritten."""
        entry = self._ask(lambda: self._redis.get(self._name(ticker, key)))
        if self._is_unavailable:
            return self._fallback.get(ticker, key, kind)
        answer = entry if isinstance(entry, bytes) and _is_answer(entry, kind) else None
        self._count("misses" if answer is None else "hits")
        return answer

    def put(self, ticker: str, key: str, answer: bytes) -> None:
        """Cache an answer."""
        self._ask(lambda: self._put(ticker, key, answer))
        if self._is_unavailable:
            self._fallback.put(ticker, key, answer)

    def forget(self, ticker: str | None = None) -> None:
        """Drop the ticker's answers, or all, of every process. Raises CacheUnavailable if Redis keeps them."""
        self._fallback.forget(ticker)
        if self._is_unavailable:
            self.check()
        if not self._ask(self._begin_generation if ticker is None else lambda: self._drop(ticker)):
            raise CacheUnavailable("Redis did not drop the answers, and goes on serving them: try again")

    def check(self) -> None:
        """Find out if Redis can be read and written: read the current generation, add this process's counts."""
        self._fallback.check()
        self._ask(self._read_generation_and_add_counts, always=True)

    def state(self) -> dict[str, Any]:
        """Return the state for /health."""
        if self._refusal:
            state = {"state": "redis refuses, in-process instead", "detail": self._refusal}
            return {**self._fallback.state(), **state}
        if self._is_unavailable:
            return {**self._fallback.state(), "state": "redis away, in-process instead"}
        return {"kind": "redis", "state": "ok"}

    def stats(self, tickers: Sequence[str]) -> dict[str, Any]:
        """Return the figures of all processes; their counts are up to two seconds old."""
        figures = self._ask(lambda: self._figures(tickers))
        if figures is None:
            return {**self._fallback.stats(tickers), **self.state()}
        with self._guard:
            counts = {name: count + figures[name] for name, count in self._counts.items()}
        return {**self.state(), "entries": figures["entries"], **counts, "ttl": self._ttl, "scope": self.scope}

    def _put(self, ticker: str, key: str, answer: bytes) -> None:
        """Write the answer and its index entry in one transaction; expired entries leave the index."""
        name, index, now = self._name(ticker, key), self._name(ticker), time.time()
        with self._redis.pipeline() as commands:
            commands.set(name, answer, ex=self._ttl)
            commands.zremrangebyscore(index, "-inf", now)
            commands.zadd(index, {name: now + self._ttl})
            commands.expire(index, self._ttl)
            commands.execute()

    def _drop(self, ticker: str) -> bool:
        """Delete the answers in the index. One that is written meanwhile stays, in the index too."""
        index = self._name(ticker)
        if names := self._redis.zrange(index, 0, -1):
            with self._redis.pipeline() as commands:
                commands.unlink(*names)
                commands.zrem(index, *names)
                commands.execute()
        return True

    def _begin_generation(self) -> bool:
        self._redis.set(CACHE_GENERATION_KEY, datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))
        self._read_generation()
        return True

    def _figures(self, tickers: Sequence[str]) -> dict[str, int]:
        with self._redis.pipeline(transaction=False) as commands:
            commands.hgetall(COUNTS)
            for ticker in tickers:
                commands.zcount(self._name(ticker), time.time(), "+inf")
            counts, *entries = commands.execute()
        return {"entries": sum(entries)} | {name: int(counts.get(name.encode(), 0)) for name in self._counts}

    def _read_generation_and_add_counts(self) -> None:
        self._read_generation()
        self._add_counts()

    def _add_counts(self) -> None:
        """Write even if there is nothing to add: only a write shows if Redis takes any."""
        with self._guard:
            counts = self._counts
            self._counts = dict.fromkeys(counts, 0)
        with self._redis.pipeline() as commands:
            for name, count in counts.items():
                commands.hincrby(COUNTS, name, count)
            commands.execute()

    def _count(self, name: str) -> None:
        with self._guard:
            self._counts[name] += 1

    def _name(self, ticker: str, key: str | None = None) -> str:
        """The Redis key of an answer, or of the ticker's index, in the current generation."""
        if self._generation is None:
            self._read_generation()
        index = f"{PREFIX}{self._generation}:{ticker}"
        return index if key is None else f"{index}:{key}"

    def _read_generation(self) -> None:
        generation = self._redis.get(CACHE_GENERATION_KEY)
        self._generation = generation.decode(errors="replace") if isinstance(generation, bytes) else ""

    def _ask(self, question: Callable[[], Result], *, always: bool = False) -> Result | None:
        """Return the result; None if Redis is unavailable, or refuses. A value of another type is only passed over."""
        from redis import RedisError, ResponseError

        if self._is_unavailable and not always:
            return None
        result, is_unavailable, refusal = None, False, None
        try:
            result = question()
        except RedisError as error:
            _logger.debug("redis: %r", error)
            is_unavailable = "WRONGTYPE" not in str(error)
            words = str(error).rpartition("caused error: ")[2]  # without the command and its values
            refusal = words[:160] if is_unavailable and isinstance(error, ResponseError) else None
        if (is_unavailable, refusal) != (self._is_unavailable, self._refusal):
            _logger.warning("redis cache: %s", refusal or ("away, in-process instead" if is_unavailable else "back"))
            self._fallback.forget()  # its answers would outlive a `forget` by another process
        self._is_unavailable, self._refusal = is_unavailable, refusal
        return result


def _is_answer(entry: bytes, kind: type[BaseModel]) -> bool:
    try:
        kind.model_validate_json(entry)
    except ValidationError:
        return False
    return True
