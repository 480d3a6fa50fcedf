"""The cache of answers, in this process; redis_cache.py shares one between processes.

A key names the model version, the data version and the request, so a promotion or new data makes old answers
unreachable. Answers are grouped by ticker, so that clearing one ticker touches no other. They are cached as the JSON
that is sent. If the cache fails, the answer is computed. The pipelines' job clear_prediction_cache starts a new
generation of answers, which `check` notices (docs/decisions/0024).
"""

from collections.abc import Sequence
from copy import copy
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol

from cachetools import LRUCache, TTLCache
from pydantic import BaseModel

TICKERS = 250
ANSWERS = 40  # of each ticker: 30 horizons, a signal and some room; 10,000 in all, of 1 to 5 kB

Scope = Literal["this process", "all processes"]


def cache_key(model: str, version: object, data_version: str, request: str, day: date) -> str:
    """Return the key of an answer: `model` and `version` name the model, or the scale of a risk answer.

    The day is part of it because the age of the data is part of the answer.
    """
    return f"{model}:{version}:{data_version}:{request}:{day}"


class Cache(Protocol):
    """A cache of answers as JSON."""

    scope: Scope
    """The processes that share its answers."""

    is_local: bool
    """True if it never waits for another process."""

    def peek(self, ticker: str, key: str) -> bytes | None:
        """Return the answer if this process's memory has it. Waits for nothing, and does not count a miss."""

    def get(self, ticker: str, key: str, kind: type[BaseModel]) -> bytes | None:
        """Return the ticker's answer under `key`, which must be valid for the schema `kind`; None if there is none."""

    def put(self, ticker: str, key: str, answer: bytes) -> None:
        """Cache an answer."""

    def forget(self, ticker: str | None = None) -> None:
        """Drop the ticker's answers, or all. Raises CacheUnavailable if the cache is unavailable."""

    def check(self) -> None:
        """Find out if the cache is available, for `state`, and drop answers of an earlier generation."""

    def state(self) -> dict[str, Any]:
        """Return `kind` and `state` ("ok" or what is wrong) for /health. Reads memory only."""

    def stats(self, tickers: Sequence[str]) -> dict[str, Any]:
        """Return `state`, the `entries` of these tickers, `hits`, `misses`, `ttl` and `scope`. May wait."""


class LocalCache:
    """Answers in memory: dropped after `ttl` seconds, with the least recently used tickers, or by a new generation.

    tickers, answers:  room for this many tickers, and this many answers of each
    generation:        a file; when its content changes, all answers are dropped
    """

    scope: Scope = "this process"
    is_local = True

    def __init__(
        self, ttl: float, *, tickers: int = TICKERS, answers: int = ANSWERS, generation: Path | None = None
    ) -> None:
        self._ttl = ttl
        self._room = answers
        self._answers: LRUCache[str, TTLCache[str, bytes]] = LRUCache(tickers)
        self._guard = Lock()
        self._file = generation
        self._generation = self._read_generation()
        self._hits = self._misses = 0

    def peek(self, ticker: str, key: str) -> bytes | None:
        """Return the ticker's answer under `key`. None is no miss yet: `get` comes next."""
        with self._guard:
            answers = self._answers.get(ticker)
            answer = None if answers is None else answers.get(key)
            self._hits += answer is not None
        return answer

    def get(self, ticker: str, key: str, kind: type[BaseModel]) -> bytes | None:
        """Return the ticker's answer under `key`, or None."""
        answer = self.peek(ticker, key)
        if answer is None:
            with self._guard:
                self._misses += 1
        return answer

    def put(self, ticker: str, key: str, answer: bytes) -> None:
        """Cache an answer."""
        with self._guard:
            answers = self._answers.get(ticker)
            if answers is None:
                answers = self._answers[ticker] = TTLCache(self._room, self._ttl)
            answers[key] = answer

    def forget(self, ticker: str | None = None) -> None:
        """Drop the ticker's answers, or all, of this process."""
        with self._guard:
            if ticker is None:
                self._answers.clear()
            else:
                self._answers.pop(ticker, None)

    def check(self) -> None:
        """Drop answers of an earlier generation. Memory is always available."""
        generation = self._read_generation()
        if generation != self._generation:
            self.forget()
            self._generation = generation

    def state(self) -> dict[str, Any]:
        """Return the state and the number of answers, for /health."""
        return {"kind": "in-process", "state": "ok", "entries": self._count()}

    def stats(self, tickers: Sequence[str]) -> dict[str, Any]:
        """Return the figures of this process alone."""
        counts = {"hits": self._hits, "misses": self._misses, "ttl": self._ttl}
        return {**self.state(), **counts, "scope": self.scope}

    def _count(self) -> int:
        with self._guard:
            answers = copy(self._answers)  # reading the values of an LRUCache changes its order
            return sum(map(len, answers.values()))

    def _read_generation(self) -> bytes:
        try:
            return self._file.read_bytes() if self._file else b""
        except OSError:
            return b""
