"""Answers kept for a while, in this process or in a Redis that several processes share.

A key names the model version, the data version and the request, so a promotion or new data makes old answers
unreachable by itself. Answers are kept by ticker, so that forgetting one ticker's looks at no other's. What is kept is
the JSON that goes out. A cache that fails costs a computation, never an answer. The pipelines' job
clear_prediction_cache begins a new generation of answers, which `check` sees (docs/decisions/0024).
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol

from cachetools import LRUCache, TTLCache
from pydantic import BaseModel

from zenith_core.names import CACHE_GENERATION_FILE
from zenith_serving.settings import Settings

TICKERS = 250
ANSWERS = 40  # for each ticker: 30 horizons and a signal, with room; 10,000 in all, of 1 to 5 kB


Scope = Literal["this process", "all processes"]


class Cache(Protocol):
    """Where answers are kept, as JSON."""

    scope: Scope
    """Whose answers they are."""

    is_local: bool
    """Whether it waits for nobody."""

    def at_hand(self, ticker: str, key: str) -> bytes | None:
        """What memory holds under `key`, or None. Waits for nothing, and does not count a miss."""

    def get(self, ticker: str, key: str, kind: type[BaseModel]) -> bytes | None:
        """What is kept for the ticker under `key`, an answer of this kind; or None."""

    def put(self, ticker: str, key: str, answer: bytes) -> None:
        """Keep an answer."""

    def forget(self, ticker: str | None = None) -> None:
        """Forget the ticker's answers, or all. Raises CacheUnavailable if that cannot be done."""

    def check(self) -> None:
        """Learn whether the cache is there, for `state`, and forget answers of an older generation."""

    def state(self) -> dict[str, Any]:
        """For /health: `kind`, and `state`, which is "ok" or what is wrong. Touches memory only."""

    def stats(self, tickers: Sequence[str]) -> dict[str, Any]:
        """`state`, and `entries` of these tickers, `hits`, `misses`, `ttl`, `scope`. May wait."""


def open_cache(settings: Settings) -> Cache:
    """Redis if `REDIS_URL` names one, else this process's memory."""
    local = LocalCache(settings.ml_cache_ttl, generation=settings.home / CACHE_GENERATION_FILE)
    if settings.redis_url is None:
        return local
    from zenith_serving.prediction.redis_cache import RedisCache

    return RedisCache(settings.redis_url.get_secret_value(), settings.ml_cache_ttl, local)


class LocalCache:
    """The least recently used tickers go first; answers go after `ttl` seconds, or when the file `generation` changes.

    tickers, answers:  how many tickers there is room for, and how many answers for each
    """

    scope: Scope = "this process"
    is_local = True

    def __init__(
        self, ttl: float, *, tickers: int = TICKERS, answers: int = ANSWERS, generation: Path | None = None
    ) -> None:
        self._ttl = ttl
        self._room = answers
        self._kept: LRUCache[str, TTLCache[str, bytes]] = LRUCache(tickers)
        self._guard = Lock()
        self._file = generation
        self._generation = self._read_generation()
        self._hits = self._misses = 0

    def at_hand(self, ticker: str, key: str) -> bytes | None:
        """What is kept for the ticker under `key`, or None, which does not count as a miss: `get` comes next."""
        with self._guard:
            answers = self._kept.get(ticker)
            answer = None if answers is None else answers.get(key)
            self._hits += answer is not None
        return answer

    def get(self, ticker: str, key: str, kind: type[BaseModel]) -> bytes | None:
        """What is kept for the ticker under `key`, or None."""
        answer = self.at_hand(ticker, key)
        if answer is None:
            with self._guard:
                self._misses += 1
        return answer

    def put(self, ticker: str, key: str, answer: bytes) -> None:
        """Keep an answer."""
        with self._guard:
            answers = self._kept.get(ticker)
            if answers is None:
                answers = self._kept[ticker] = TTLCache(self._room, self._ttl)
            answers[key] = answer

    def forget(self, ticker: str | None = None) -> None:
        """Forget the ticker's answers, or all, of this process."""
        with self._guard:
            if ticker is None:
                self._kept.clear()
            else:
                self._kept.pop(ticker, None)

    def check(self) -> None:
        """Memory is always there; forget what is of an older generation."""
        generation = self._read_generation()
        if generation != self._generation:
            self.forget()
            self._generation = generation

    def state(self) -> dict[str, Any]:
        """For /health."""
        return {"kind": "in-process", "state": "ok", "entries": self._count()}

    def stats(self, tickers: Sequence[str]) -> dict[str, Any]:
        """Of this process alone."""
        counts = {"hits": self._hits, "misses": self._misses, "ttl": self._ttl}
        return {**self.state(), **counts, "scope": self.scope}

    def _count(self) -> int:
        with self._guard:
            return sum(len(answers) for answers in self._kept.values())

    def _read_generation(self) -> bytes:
        try:
            return self._file.read_bytes() if self._file else b""
        except OSError:
            return b""
