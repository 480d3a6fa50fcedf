"""Production models, each with its forecast from the newest snapshot: numbers in memory, no sessions.

A forecast is computed when its ticker is first asked for, and again when the alias moves or the snapshot is replaced
(docs/decisions/0041). A ServedModel is never changed: its version and its numbers belong together.
"""

import logging
from collections import OrderedDict
from contextlib import suppress
from threading import Lock
from typing import Any

from zenith_core.errors import InvalidTicker
from zenith_core.market.tickers import validate_ticker
from zenith_core.names import KINDS, Kind, model_name
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import ModelUnavailable, RegistryUnavailable
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.prediction.loaded_model import LoadedModel, open_model
from zenith_serving.prediction.served_model import ServedModel, forecast_once
from zenith_serving.prediction.single_flight import SingleFlight
from zenith_serving.registry.base import ModelRegistry

MODEL_BYTES = 60_000
"""Memory of one kept model and its share of the snapshot, in bytes: measured, docs/decisions/0041."""

MEMORY_BYTES = 512 * 2**20

_logger = logging.getLogger(__name__)


class ModelStore:
    """Production models by kind and ticker, in `memory` bytes at most; the least recently used go first."""

    def __init__(self, registry: ModelRegistry, copies: LastKnownGood, memory: int = MEMORY_BYTES) -> None:
        self._registry = registry
        self._copies = copies
        self._capacity = memory // MODEL_BYTES
        self._models: OrderedDict[str, ServedModel] = OrderedDict()  # the most recently used last
        self._guard = Lock()  # for _models; held for a dictionary access
        self._computing = SingleFlight[ServedModel]()
        self._refreshing = Lock()  # the watcher and a webhook may come at the same time
        self._production: dict[str, int] | None = None
        self._outage: str | None = None
        self._problems: dict[str, str] = {}

    def peek(self, kind: Kind, snapshot: ServingSnapshot) -> ServedModel | None:
        """Return the model if memory holds its forecast from this snapshot, else None. Waits for nothing."""
        model = self._kept(model_name(kind, snapshot.ticker))
        return model if model and model.current is snapshot else None

    def get(self, kind: Kind, snapshot: ServingSnapshot) -> ServedModel:
        """Return the Production model with its forecast from the snapshot, computed once for all callers.

        If neither the artifact nor a copy of it can be had, the forecast from an earlier snapshot goes on.
        Raises ModelUnavailable or RegistryUnavailable, which say what is missing.
        """
        name = model_name(kind, snapshot.ticker)
        if model := self.peek(kind, snapshot):
            return model
        compute = self._computing.do
        return compute((name, id(snapshot)), lambda: self.peek(kind, snapshot) or self._compute(name, snapshot))

    def refresh(self) -> None:
        """Follow the registry: replace models whose alias moved, drop those without one, copy all to MODELS_PATH."""
        with self._refreshing:
            self._read_aliases()
            if self._production is None or self._outage:
                return
            for model in self.kept():
                self._follow_alias(model)
        self._copy_missing()

    def kept(self) -> list[ServedModel]:
        """Return the models in memory, the least recently used first."""
        with self._guard:
            return list(self._models.values())

    def state(self) -> dict[str, Any]:
        """Return the registry's state and the number of models, for /health."""
        return {
            "registry": {"state": "away" if self._outage else "ok", "detail": self._outage},
            "models": {
                "production": len(self._production or {}),
                "loaded": len(self._models),
                "loaded_mb": round(len(self._models) * MODEL_BYTES / 2**20),
                "problems": dict(sorted(self._problems.items())[:10]),
            },
        }

    def _read_aliases(self) -> None:
        try:
            self._production = self._registry.production()
            outage = None
        except RegistryUnavailable as error:
            outage = str(error)
        if outage != self._outage:
            _logger.warning("model registry: %s", outage or "available again")
        self._outage = outage

    def _compute(self, name: str, snapshot: ServingSnapshot) -> ServedModel:
        """Compute and keep the forecast; again, if the alias moved meanwhile."""
        if self._production is None and self._outage is None:
            self._read_aliases()
        while True:
            version = (self._production or {}).get(name)
            try:
                model = self._keep(forecast_once(self._open_any(name), snapshot))
            except (ModelUnavailable, RegistryUnavailable):
                if earlier := self._kept(name):
                    return earlier
                raise
            if (self._production or {}).get(name) == version:
                return model

    def _follow_alias(self, model: ServedModel) -> None:
        version = (self._production or {}).get(model.name)
        if version is None:
            with self._guard:
                self._models.pop(model.name, None)
        elif version != model.version:
            with suppress(ModelUnavailable, RegistryUnavailable):  # in _problems; the earlier version goes on
                self._keep(forecast_once(self._open(model.name, version), model.current))

    def _open_any(self, name: str) -> LoadedModel:
        """Open the Production version, or the last-known-good copy if that version or the registry is unavailable."""
        version = None if self._production is None else self._production.get(name)
        if version is None and self._production is not None:
            raise ModelUnavailable(f"{name} has no version in Production yet")
        try:
            if version is None:
                raise RegistryUnavailable(self._outage or "the registry has not answered yet")
            return self._open(name, version)
        except (ModelUnavailable, RegistryUnavailable):
            copy = self._copies.load(name)
            if copy is None:
                raise
            return open_model(name, *copy)

    def _open(self, name: str, version: int) -> LoadedModel:
        try:
            if copy := self._copies.load(name, version):
                model = open_model(name, *copy)
            else:
                onnx = self._registry.fetch(name, version)
                model = open_model(name, version, onnx)
                self._copies.save(name, version, onnx)
        except (ModelUnavailable, RegistryUnavailable) as error:
            if self._problems.get(name) != str(error):
                _logger.warning("%s version %d: %s", name, version, error)
            self._problems[name] = str(error)
            raise
        self._problems.pop(name, None)
        return model

    def _copy_missing(self) -> None:
        for name, version in (self._production or {}).items():
            if _is_ours(name) and not self._copies.has(name, version):
                with suppress(ModelUnavailable, RegistryUnavailable):
                    self._open(name, version)

    def _kept(self, name: str) -> ServedModel | None:
        with self._guard:
            model = self._models.get(name)
            if model:
                self._models.move_to_end(name)
        return model

    def _keep(self, model: ServedModel) -> ServedModel:
        with self._guard:
            self._models[model.name] = model
            self._models.move_to_end(model.name)
            while len(self._models) > self._capacity:
                self._models.popitem(last=False)
        return model


def _is_ours(name: str) -> bool:
    kind, _, ticker = name.partition("-")
    with suppress(InvalidTicker):
        return kind in KINDS and validate_ticker(ticker) == ticker
    return False
