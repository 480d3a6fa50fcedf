"""Production models in memory: one ONNX Runtime session for each ticker and kind, never one for all.

A session is made when its model is first asked for, and swapped when `refresh` sees the alias moved.
Whoever holds a ServedModel goes on with it: its version and its session cannot come apart.
"""

import logging
from contextlib import suppress
from threading import Lock
from typing import Any

from cachetools import LRUCache

from zenith_core.errors import InvalidTicker
from zenith_core.market.tickers import validate_ticker
from zenith_core.names import Kind, model_name
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.prediction.last_known_good import LastGood
from zenith_serving.prediction.loaded_model import ServedModel, open_model
from zenith_serving.prediction.single_flight import SingleFlight
from zenith_serving.registry.base import ModelRegistry

MEMORY_BYTES = 512 * 2**20  # of sessions: both kinds for about 400 tickers

_logger = logging.getLogger(__name__)


class ModelStore:
    """Production models by kind and ticker, in `memory` bytes at most; the least recently asked go first."""

    def __init__(self, registry: ModelRegistry, last_good: LastGood, memory: int = MEMORY_BYTES) -> None:
        self._registry = registry
        self._last_good = last_good
        self._loaded: LRUCache[str, ServedModel] = LRUCache(memory, getsizeof=lambda model: model.memory)
        self._guard = Lock()  # for _loaded; held for a dictionary access
        self._loading = SingleFlight[ServedModel]()  # a session is made once, whoever asks for it
        self._refreshing = Lock()  # the watcher and a webhook may come at the same time
        self._production: dict[str, int] | None = None
        self._away: str | None = None
        self._problems: dict[str, str] = {}

    def get(self, kind: Kind, ticker: str) -> ServedModel:
        """The model to answer with. Raises ModelUnavailable or RegistryUnavailable, which say what is missing."""
        name = model_name(kind, ticker)
        if model := self._peek(name):
            return model
        return self._loading.do(name, lambda: self._peek(name) or self._load(name))

    def is_loaded(self, kind: Kind, ticker: str) -> bool:
        """Whether `get` answers at once."""
        return self._peek(model_name(kind, ticker)) is not None

    def refresh(self) -> None:
        """Look at the registry: swap models whose alias moved, drop those that lost it, copy what has no copy yet."""
        with self._refreshing:
            self._look()
            if self._production is None or self._away:
                return
            for model in self._snapshot():
                self._follow(model)
        self._copy_missing()

    def state(self) -> dict[str, Any]:
        """For /health: the registry, and how many models."""
        return {
            "registry": {"state": "away" if self._away else "ok", "detail": self._away},
            "models": {
                "production": len(self._production or {}),
                "loaded": len(self._loaded),
                "loaded_mb": round(self._loaded.currsize / 2**20),
                "problems": dict(sorted(self._problems.items())[:10]),
            },
        }

    def _look(self) -> None:
        try:
            self._production = self._registry.production()
            away = None
        except RegistryUnavailable as error:
            away = str(error)
        if away != self._away:
            _logger.warning("model registry: %s", away or "back")
        self._away = away

    def _load(self, name: str) -> ServedModel:
        """Open the model and keep it; again, if the alias was seen to move meanwhile."""
        if self._production is None and self._away is None:
            self._look()
        while True:
            wanted = (self._production or {}).get(name)
            model = self._keep(self._open_any(name))
            if (self._production or {}).get(name) == wanted:
                return model

    def _follow(self, model: ServedModel) -> None:
        wanted = (self._production or {}).get(model.name)
        if wanted is None:
            self._drop(model.name)
        elif wanted != model.version:
            with suppress(ModelUnavailable, RegistryUnavailable):  # noted in _problems; the old version goes on
                self._keep(self._open(model.name, wanted))

    def _open_any(self, name: str) -> ServedModel:
        """The version in Production, or the last-good copy if that version, or the registry, cannot be had."""
        version = None if self._production is None else self._production.get(name)
        if version is None and self._production is not None:
            raise ModelUnavailable(f"{name} has no version in Production yet")
        try:
            if version is None:
                raise RegistryUnavailable(self._away or "the registry has not answered yet")
            return self._open(name, version)
        except (ModelUnavailable, RegistryUnavailable):
            copy = self._last_good.load(name)
            if copy is None:
                raise
            return open_model(name, *copy)

    def _open(self, name: str, version: int) -> ServedModel:
        try:
            if copy := self._last_good.load(name, version):
                model = open_model(name, *copy)
            else:
                onnx = self._registry.fetch(name, version)
                model = open_model(name, version, onnx)
                self._last_good.save(name, version, onnx)
        except (ModelUnavailable, RegistryUnavailable) as error:
            if self._problems.get(name) != str(error):
                _logger.warning("%s version %d: %s", name, version, error)
            self._problems[name] = str(error)
            raise
        self._problems.pop(name, None)
        return model

    def _copy_missing(self) -> None:
        for name, version in (self._production or {}).items():
            if _is_ours(name) and not self._last_good.has(name, version):
                with suppress(ModelUnavailable, RegistryUnavailable):
                    self._open(name, version)

    def _peek(self, name: str) -> ServedModel | None:
        with self._guard:
            return self._loaded.get(name)

    def _keep(self, model: ServedModel) -> ServedModel:
        with self._guard, suppress(ValueError):  # larger than all the memory there is for models: not kept
            self._loaded[model.name] = model
        return model

    def _drop(self, name: str) -> None:
        with self._guard:
            self._loaded.pop(name, None)

    def _snapshot(self) -> list[ServedModel]:
        with self._guard:
            return list(self._loaded.values())


def _is_ours(name: str) -> bool:
    kind, _, ticker = name.partition("-")
    with suppress(InvalidTicker):
        return kind in ("lstm", "ensemble") and validate_ticker(ticker) == ticker
    return False
