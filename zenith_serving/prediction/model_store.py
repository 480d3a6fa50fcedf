"""Production models, each with its forecast from the newest snapshot: numbers in memory, no sessions.

A forecast is computed when its ticker is first asked for, and again when the alias moves or the snapshot is replaced
(docs/decisions/0041). A ServedModel is never changed: its version and its numbers belong together. A new version or
snapshot that yields no forecast leaves the last good one in place, and is reported (docs/decisions/0045).
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from threading import Lock
from typing import Any, NamedTuple

from zenith_core.errors import InvalidTicker, ZenithError
from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.table import KINDS, Kind
from zenith_core.names import model_name
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import ModelUnavailable, NoProductionModel, NoRegistry, RegistryUnavailable
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.prediction.loaded_model import LoadedModel, open_model
from zenith_serving.prediction.served_model import ServedModel, forecast_once
from zenith_serving.prediction.untrained import without_model
from zenith_serving.registry.base import ModelRegistry
from zenith_serving.single_flight import SingleFlight

MODEL_BYTES = 60_000
"""Memory of one kept model and its share of the snapshot, in bytes: measured, docs/decisions/0041."""

MEMORY_BYTES = 512 * 2**20
SLOW_SECONDS = 2.5  # a question to the registry that takes longer is reported while it lasts
_MAX_CHECKS = 500  # copies that are looked for again at one look at the registry
_RETRY_SECONDS = (5.0, 600.0)  # first and longest pause before a file that did not come is fetched again

_logger = logging.getLogger(__name__)


class _Failure(NamedTuple):
    """A version that could not be opened, and the time of the next attempt."""

    version: int
    error: ModelUnavailable | RegistryUnavailable
    pause: float
    retry_at: float


class ModelStore:
    """Production models by kind and ticker, in `memory` bytes at most; the least recently used go first."""

    def __init__(
        self,
        registry: ModelRegistry,
        copies: LastKnownGood,
        memory: int = MEMORY_BYTES,
        earlier_names: Callable[[str], Collection[str]] = lambda ticker: (),
    ) -> None:
        """Hold no model yet.

        earlier_names: the former names of a ticker, which the artifacts of a renamed one hold
        """
        self._registry = registry
        self._earlier_names = earlier_names
        self._copies = copies
        self._capacity = memory // MODEL_BYTES
        self._models: OrderedDict[str, ServedModel] = OrderedDict()  # the most recently used last
        self._guard = Lock()  # for _models; held for a dictionary access
        self._computing = SingleFlight[ServedModel]()
        self._refreshing = Lock()  # the watcher and a webhook may come at the same time
        self._production: dict[str, int] | None = None
        self._outage: str | None = None
        self._has_no_registry = False
        self._is_new = False  # nothing was ever in Production here
        self._questions: dict[object, float] = {}  # the start of each question to the registry that has no answer yet
        self._last_look: float | None = None  # by the monotonic clock, as all times here
        self._failures: dict[str, _Failure] = {}
        self._copied: set[tuple[str, int]] = set()  # versions whose copy was there when it was last looked for
        self._unchecked: list[tuple[str, int]] = []  # those of them to look for again
        self._without_forecast: dict[str, tuple[int | None, ServingSnapshot, str]] = {}  # version, snapshot and reason

    def peek(self, kind: Kind, snapshot: ServingSnapshot) -> ServedModel | None:
        """Return the model if memory holds its forecast from this snapshot, else None. Waits for nothing."""
        model = self._kept(model_name(kind, snapshot.ticker))
        return model if model and model.current is snapshot else None

    def get(self, kind: Kind, snapshot: ServingSnapshot) -> ServedModel:
        """Return the Production model with its forecast from the snapshot, computed once for all callers.

        If neither the artifact nor a copy of it can be had, or it has no forecast from this snapshot, the last good
        forecast goes on. If none is in Production, the answer is from the snapshot's distribution, if it has one.
        Raises ModelUnavailable or RegistryUnavailable, which say what is missing.
        """
        name = model_name(kind, snapshot.ticker)
        if model := self.peek(kind, snapshot):
            return model
        compute = self._computing.do
        return compute((name, id(snapshot)), lambda: self.peek(kind, snapshot) or self._compute(name, snapshot))

    def refresh(self, *, retry: bool = False) -> None:
        """Follow the registry: replace models whose alias moved, drop those without one, copy all to MODELS_PATH.

        retry: open broken versions again at once, without their pause
        """
        if retry:
            self._failures.clear()
        with self._refreshing:
            self._read_aliases()
            if self._production is None or self._outage:
                return
            for name in {*self._failures, *self._without_forecast} - set(self._production):
                self._failures.pop(name, None)
                self._without_forecast.pop(name, None)
            for model in self.kept():
                self._follow_alias(model)
        self._copy_missing()

    def kept(self) -> list[ServedModel]:
        """Return the models in memory, the least recently used first."""
        with self._guard:
            return list(self._models.values())

    def state(self) -> dict[str, Any]:
        """Return the registry's state and the number of models, for /health. Reads memory only."""
        problems = {name: reason for name, (_, _, reason) in self._without_forecast.copy().items()}
        count = sum(model.version is not None for model in self.kept())
        problems.update({name: str(failure.error) for name, failure in self._failures.copy().items()})
        return {
            "registry": self._registry_state(time.monotonic()),
            "models": {
                "production": len(self._production or {}),
                "loaded": count,
                "loaded_mb": round(count * MODEL_BYTES / 2**20),
                "problems": dict(sorted(problems.items())[:10]),
            },
        }

    def _registry_state(self, now: float) -> dict[str, Any]:
        detail = None if self._is_new else self._outage
        waiting = now - min(self._questions.copy().values(), default=now)
        if waiting > SLOW_SECONDS:
            detail = f"the registry has not answered for {waiting:.0f} s"
        age = None if self._last_look is None else round(now - self._last_look, 1)
        return {"state": "away" if detail else "ok", "detail": detail, "last_look_seconds": age}

    def _read_aliases(self) -> None:
        try:
            with self._asking():
                self._production = self._registry.production()
            self._last_look = time.monotonic()
            outage, self._has_no_registry = None, False
        except RegistryUnavailable as error:
            outage, self._has_no_registry = str(error), isinstance(error, NoRegistry)
        self._is_new = self._has_no_registry and self._production is None and self._copies.is_empty()
        if self._is_new:
            self._last_look = time.monotonic()
        if outage != self._outage:
            level = logging.INFO if self._has_no_registry else logging.WARNING
            _logger.log(level, "model registry: %s", outage or "available again")
            self._failures = {  # its return ends the pauses that its outage began
                name: failure
                for name, failure in self._failures.copy().items()
                if not isinstance(failure.error, RegistryUnavailable)
            }
        self._outage = outage

    @contextmanager
    def _asking(self) -> Generator[None]:
        """Note a question to the registry, so that /health can tell that it waits."""
        question = object()
        self._questions[question] = time.monotonic()
        try:
            yield
        finally:
            del self._questions[question]

    def _compute(self, name: str, snapshot: ServingSnapshot) -> ServedModel:
        """Compute and keep the forecast; again, if the alias moved meanwhile."""
        if self._production is None and self._outage is None:
            self._read_aliases()
        while True:
            version = (self._production or {}).get(name)
            try:
                model = self._keep_good(forecast_once(self._open_any(name), snapshot))
            except (ModelUnavailable, RegistryUnavailable) as error:
                if snapshot.distribution and self._is_untrained(error):
                    model = self._keep(without_model(name, snapshot))
                elif earlier := self._kept(name):
                    return earlier
                else:
                    raise
            if (self._production or {}).get(name) == version:
                return model

    def _is_untrained(self, error: ZenithError) -> bool:
        """Return True if the registry has no version in Production, or there never was a registry here."""
        return isinstance(error, NoProductionModel) or (isinstance(error, NoRegistry) and self._production is None)

    def _follow_alias(self, model: ServedModel) -> None:
        version = (self._production or {}).get(model.name)
        if version is None:
            with self._guard:
                self._models.pop(model.name, None)
        elif version != model.version and not self._has_no_forecast(model, version):
            with suppress(ModelUnavailable, RegistryUnavailable):  # reported; the earlier version goes on
                self._keep_good(forecast_once(self._open(model.name, version), model.current))

    def _has_no_forecast(self, model: ServedModel, version: int) -> bool:
        """Return True if the version was run on the model's snapshot before, in vain."""
        earlier = self._without_forecast.get(model.name)
        return earlier is not None and earlier[0] == version and earlier[1] is model.current

    def _open_any(self, name: str) -> LoadedModel:
        """Open the Production version, or the last-known-good copy if that version or the registry is unavailable."""
        version = None if self._production is None else self._production.get(name)
        if version is None and self._production is not None:
            raise NoProductionModel(f"{name} has no version in Production yet")
        try:
            if version is None:
                kind = NoRegistry if self._has_no_registry else RegistryUnavailable
                raise kind(self._outage or "the registry has not answered yet")
            return self._open(name, version)
        except (ModelUnavailable, RegistryUnavailable):
            copy = self._copies.load(name)
            if copy is None:
                raise
            return self._session(name, *copy)

    def _open(self, name: str, version: int) -> LoadedModel:
        """Open the version. One that failed is not tried again before its pause is over, or its alias moves."""
        failure = self._failure(name, version)
        copy = None if failure and failure.pause == math.inf else self._copies.load(name, version)
        if failure and not copy:
            raise type(failure.error)(*failure.error.args)
        try:
            onnx = copy[1] if copy else self._fetch(name, version)
        except (ModelUnavailable, RegistryUnavailable) as error:
            self._note_failure(name, version, error, self._next_pause(name, version))
            raise
        try:
            model = self._session(name, version, onnx)
        except ModelUnavailable as error:  # the file is as it was registered: only another version can help
            self._note_failure(name, version, error, math.inf)
            raise
        self._failures.pop(name, None)
        if not copy:
            self._copies.save(name, version, onnx)
        return model

    def _session(self, name: str, version: int, onnx: bytes) -> LoadedModel:
        return open_model(name, version, onnx, self._earlier_names(name.partition("-")[2]))

    def _fetch(self, name: str, version: int) -> bytes:
        if self._outage:
            raise RegistryUnavailable(self._outage)
        with self._asking():
            return self._registry.fetch(name, version)

    def _failure(self, name: str, version: int) -> _Failure | None:
        failure = self._failures.get(name)
        return failure if failure and failure.version == version and time.monotonic() < failure.retry_at else None

    def _next_pause(self, name: str, version: int) -> float:
        """Return the seconds to wait after a file that did not come: twice as long after each failure."""
        earlier = self._failures.get(name)
        first, longest = _RETRY_SECONDS
        return min(2 * earlier.pause, longest) if earlier and earlier.version == version else first

    def _note_failure(
        self, name: str, version: int, error: ModelUnavailable | RegistryUnavailable, pause: float
    ) -> None:
        earlier = self._failures.get(name)
        if not (earlier and earlier.version == version and str(earlier.error) == str(error)):
            _logger.warning("%s version %d: %s", name, version, error)
        self._failures[name] = _Failure(version, error.with_traceback(None), pause, time.monotonic() + pause)

    def _copy_missing(self) -> None:
        """Copy each Production version to MODELS_PATH that has no copy there.

        Looks for up to _MAX_CHECKS copies at a time: those of new versions first, then others in turn, because any of
        them may have been deleted. A forecast that is asked for meanwhile copies its own model.
        """
        production = (self._production or {}).items()
        if not self._unchecked:
            self._copied &= production
            self._unchecked = sorted(self._copied)
        without_copy = (item for item in production if item not in self._copied and not self._failure(*item))
        missing = list(islice(without_copy, _MAX_CHECKS))
        others = _MAX_CHECKS - len(missing)
        part, self._unchecked = self._unchecked[:others], self._unchecked[others:]
        self._copied -= set(part)
        for name, version in [*missing, *sorted({*part} & production)]:
            if self._failure(name, version):  # of an earlier copy, which is gone
                continue
            if _is_ours(name) and (name in self._failures or not self._copies.has(name, version)):
                try:
                    self._open(name, version)
                except ModelUnavailable:  # reported
                    continue
                except RegistryUnavailable:  # the next files would be waited for in vain too: the next look goes on
                    return
            self._copied.add((name, version))

    def _kept(self, name: str) -> ServedModel | None:
        with self._guard:
            model = self._models.get(name)
            if model:
                self._models.move_to_end(name)
        return model

    def _keep_good(self, model: ServedModel) -> ServedModel:
        """Keep the model; if it has no forecast from the snapshot, the last good forecast in its place."""
        if isinstance(model.result, ModelUnavailable):
            reason = str(model.result)
            self._without_forecast[model.name] = (model.version, model.current, reason)
            earlier = self._kept(model.name)
            if earlier and not isinstance(earlier.result, ModelUnavailable):
                _logger.warning("%s; its forecast of %s goes on", reason, earlier.snapshot.as_of)
                model = replace(earlier, current=model.current)
        else:
            self._without_forecast.pop(model.name, None)
        return self._keep(model)

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
