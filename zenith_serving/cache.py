"""Answers kept for a while, in this process or in a Redis that several processes share.

A key names the model version, the data version and the request, so a promotion or new data makes old
answers unreachable by itself. A cache that fails costs a computation, never an answer. The pipelines' job
clear_prediction_cache begins a new generation of answers, which `check` sees.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar

from cachetools import TTLCache
from pydantic import BaseModel, ValidationError

from zenith_core.naming import CACHE_GENERATION_FILE, CACHE_GENERATION_KEY
from zenith_serving.settings import Settings

CAPACITY = 10_000  # answers in memory, of 1 to 8 kB
REDIS_TIMEOUT_SECONDS = 0.1
PREFIX = "zenith:1:"  # the 1 is the version of what is stored

_logger = logging.getLogger(__name__)
Answer = TypeVar("Answer", bound=BaseModel)


class Cache(Protocol):
    """Where answers are kept."""

    is_local: bool
    """Whether `get` and `put` only touch memory, so that an event loop may call them."""

    def get(self, key: str, kind: type[Answer]) -> Answer | None:
        """The answer kept under `key`, or None."""

    def put(self, key: str, answer: BaseModel) -> None:
        """Keep an answer."""

    def check(self) -> None:
        """Learn whether the cache is there, for `state`, and forget answers of an older generation."""

    def state(self) -> dict[str, Any]:
        """For /health: `kind`, and `state`, which is "ok" or what is wrong. Touches memory only."""


def open_cache(settings: Settings) -> Cache:
    """Redis if `REDIS_URL` names one, else this process's memory."""
    local = LocalCache(settings.ml_cache_ttl, generation=settings.home / CACHE_GENERATION_FILE)
    if settings.redis_url is None:
        return local
    return RedisCache(settings.redis_url.get_secret_value(), settings.ml_cache_ttl, local)


class LocalCache:
    """The least recently used answers go first; all go after `ttl` seconds, or when the file `generation` changes."""

    is_local = True

    def __init__(self, ttl: float, capacity: int = CAPACITY, generation: Path | None = None) -> None:
        self._answers: TTLCache[str, BaseModel] = TTLCache(capacity, ttl)
        self._guard = Lock()
        self._file = generation
        self._generation = self._read_generation()

    def get(self, key: str, kind: type[Answer]) -> Answer | None:
        """The answer kept under `key`, or None."""
        with self._guard:
            answer = self._answers.get(key)
        return answer if isinstance(answer, kind) else None

    def put(self, key: str, answer: BaseModel) -> None:
        """Keep an answer."""
        with self._guard:
            self._answers[key] = answer

    def check(self) -> None:
        """Memory is always there; forget what is of an older generation."""
        generation = self._read_generation()
        if generation != self._generation:
            with self._guard:
                self._answers.clear()
            self._generation = generation

    def _read_generation(self) -> bytes:
        try:
            return self._file.read_bytes() if self._file else b""
        except OSError:
            return b""

    def state(self) -> dict[str, Any]:
        """For /health."""
        with self._guard:
            return {"kind": "in-process", "state": "ok", "entries": len(self._answers)}


class RedisCache:
    """JSON in Redis. While Redis fails, `fallback` is used, after at most REDIS_TIMEOUT_SECONDS for each call."""

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

    def get(self, key: str, kind: type[Answer]) -> Answer | None:
        """The answer kept under `key`, or None; what is not such an answer is passed over, and soon overwritten."""
        text = self._ask(lambda: self._redis.get(self._name(key)))
        if self._is_away:
            return self._fallback.get(key, kind)
        try:
            return None if text is None else kind.model_validate_json(text)
        except ValidationError:
            return None

    def put(self, key: str, answer: BaseModel) -> None:
        """Keep an answer."""
        self._ask(lambda: self._redis.set(self._name(key), answer.model_dump_json(), ex=self._ttl))
        if self._is_away:
            self._fallback.put(key, answer)

    def check(self) -> None:
        """Learn whether Redis is there, for `state`, and which generation of answers counts."""
        self._fallback.check()
        self._ask(self._learn_generation)

    def state(self) -> dict[str, Any]:
        """For /health."""
        if self._is_away:
            return {**self._fallback.state(), "state": "redis away, in-process instead"}
        return {"kind": "redis", "state": "ok"}

    def _name(self, key: str) -> str:
        """Where Redis has the answer: an answer of another generation is never asked for."""
        if self._generation is None:
            self._learn_generation()
        return f"{PREFIX}{self._generation}:{key}"

    def _learn_generation(self) -> None:
        kept = self._redis.get(CACHE_GENERATION_KEY)
        self._generation = kept.decode(errors="replace") if isinstance(kept, bytes) else ""

    def _ask(self, question: Callable[[], Any]) -> bytes | None:
        from redis import RedisError

        answer: bytes | None = None
        is_away = False
        try:
            answer = question()
        except RedisError as error:
            is_away = True
            _logger.debug("redis: %r", error)
        if is_away != self._is_away:
            _logger.warning("redis cache: %s", "away, in-process instead" if is_away else "back")
        self._is_away = is_away
        return answer
