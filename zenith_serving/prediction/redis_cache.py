"""Answers in a Redis that several processes share.

    zenith:2:<generation>:<ticker>:<key>     an answer, JSON, with its own expiry
    zenith:2:<generation>:<ticker>           its index: the keys of the ticker's answers, each with when it expires
    zenith:2:counts                          hits and misses of all processes

To forget a ticker is to read its index and drop what it names; to forget all is to begin a new generation, as the
pipelines' job clear_prediction_cache does. Neither searches Redis.

While Redis fails it is not asked again by any request: only `check`, which the watcher calls every two seconds, tries
it, and what serves meanwhile is the cache in memory. So a Redis that hangs costs REDIS_TIMEOUT_SECONDS once.
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
    """Shared answers; `fallback` while Redis is away."""

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
        self._is_away = False
        self._generation: str | None = None  # not asked for yet
        self._counts = {"hits": 0, "misses": 0}  # since they were last told to Redis
        self._guard = Lock()  # for _counts

    def at_hand(self, ticker: str, key: str) -> bytes | None:
        """None: memory is used only while Redis is away."""
        return None

    def get(self, ticker: str, key: str, kind: type[BaseModel]) -> bytes | None:
        """What is kept, or None; what is not such an answer is passed over, and soon overwritten."""
        kept = self._ask(lambda: self._redis.get(self._name(ticker, key)))
        if self._is_away:
            return self._fallback.get(ticker, key, kind)
        answer = kept if isinstance(kept, bytes) and _is_answer(kept, kind) else None
        self._count("misses" if answer is None else "hits")
        return answer

    def put(self, ticker: str, key: str, answer: bytes) -> None:
        """Keep an answer."""
        self._ask(lambda: self._put(ticker, key, answer))
        if self._is_away:
            self._fallback.put(ticker, key, answer)

    def forget(self, ticker: str | None = None) -> None:
        """Forget the ticker's answers, or all, in every process. Raises CacheUnavailable if Redis keeps its own."""
        self._fallback.forget(ticker)
        if self._is_away:
            self.check()
        if not self._ask(self._begin_generation if ticker is None else lambda: self._drop(ticker)):
            raise CacheUnavailable("Redis does not do it: the answers that it keeps stay")

    def check(self) -> None:
        """Learn whether Redis is there, for `state`, and which generation of answers counts; tell it the counts."""
        self._fallback.check()
        self._ask(self._learn_generation, always=True)
        self._ask(self._tell_counts)

    def state(self) -> dict[str, Any]:
        """For /health."""
        if self._is_away:
            return {**self._fallback.state(), "state": "redis away, in-process instead"}
        return {"kind": "redis", "state": "ok"}

    def stats(self, tickers: Sequence[str]) -> dict[str, Any]:
        """Of all processes; their counts are up to two seconds old."""
        kept = self._ask(lambda: self._look(tickers))
        if kept is None:
            return {**self._fallback.stats(tickers), **self.state()}
        with self._guard:
            counts = {name: count + kept[name] for name, count in self._counts.items()}
        return {**self.state(), "entries": kept["entries"], **counts, "ttl": self._ttl, "scope": self.scope}

    def _put(self, ticker: str, key: str, answer: bytes) -> None:
        """The answer and its place in the index at once; what has expired leaves the index on the occasion."""
        name, index, now = self._name(ticker, key), self._name(ticker), time.time()
        with self._redis.pipeline() as together:
            together.set(name, answer, ex=self._ttl)
            together.zremrangebyscore(index, "-inf", now)
            together.zadd(index, {name: now + self._ttl})
            together.expire(index, self._ttl)
            together.execute()

    def _drop(self, ticker: str) -> bool:
        """What is put meanwhile was not there to be forgotten, and stays in the index."""
        index = self._name(ticker)
        if names := self._redis.zrange(index, 0, -1):
            with self._redis.pipeline() as together:
                together.unlink(*names)
                together.zrem(index, *names)
                together.execute()
        return True

    def _begin_generation(self) -> bool:
        self._redis.set(CACHE_GENERATION_KEY, datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))
        self._learn_generation()
        return True

    def _look(self, tickers: Sequence[str]) -> dict[str, int]:
        with self._redis.pipeline(transaction=False) as together:
            together.hgetall(COUNTS)
            for ticker in tickers:
                together.zcount(self._name(ticker), time.time(), "+inf")
            counts, *entries = together.execute()
        told = {name.encode(): name for name in self._counts}
        return {"entries": sum(entries)} | {name: int(counts.get(key, 0)) for key, name in told.items()}

    def _tell_counts(self) -> None:
        with self._guard:
            counts = {name: count for name, count in self._counts.items() if count}
            self._counts = dict.fromkeys(self._counts, 0)
        with self._redis.pipeline() as together:
            for name, count in counts.items():
                together.hincrby(COUNTS, name, count)
            together.execute()

    def _count(self, name: str) -> None:
        with self._guard:
            self._counts[name] += 1

    def _name(self, ticker: str, key: str | None = None) -> str:
        """Where Redis has the answer, or the ticker's index: what is of another generation is never asked for."""
        if self._generation is None:
            self._learn_generation()
        index = f"{PREFIX}{self._generation}:{ticker}"
        return index if key is None else f"{index}:{key}"

    def _learn_generation(self) -> None:
        kept = self._redis.get(CACHE_GENERATION_KEY)
        self._generation = kept.decode(errors="replace") if isinstance(kept, bytes) else ""

    def _ask(self, question: Callable[[], Result], *, always: bool = False) -> Result | None:
        """None if Redis is away, which it is known to be or proves to be now, or refuses (it is full, or read only)."""
        from redis import RedisError, ResponseError

        if self._is_away and not always:
            return None
        answer, is_unavailable = None, False
        try:
            answer = question()
        except RedisError as error:
            is_unavailable = not isinstance(error, ResponseError)
            _logger.debug("redis: %r", error)
        if is_unavailable != self._is_away:
            _logger.warning("redis cache: %s", "away, in-process instead" if is_unavailable else "back")
            self._fallback.forget()  # or other processes' would outlive `forget`
        self._is_away = is_unavailable
        return answer


def _is_answer(kept: bytes, kind: type[BaseModel]) -> bool:
    try:
        kind.model_validate_json(kept)
    except ValidationError:
        return False
    return True
