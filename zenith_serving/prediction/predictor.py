"""Answers to the questions that the REST routes and `zenith predict` ask. No HTTP here."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from zenith_core.errors import UserError
from zenith_core.inference import HORIZONS, forecast_prices, signal_probabilities
from zenith_core.market.tickers import validate_ticker
from zenith_core.names import Kind
from zenith_core.snapshot import ServingSnapshot
from zenith_serving.errors import FeatureMismatch, TickerGone
from zenith_serving.prediction.cache import Cache, open_cache
from zenith_serving.prediction.last_known_good import LastGood
from zenith_serving.prediction.loaded_model import ServedModel
from zenith_serving.prediction.model_store import ModelStore
from zenith_serving.prediction.responses import price_answer, signal_answer
from zenith_serving.prediction.single_flight import SingleFlight
from zenith_serving.prediction.snapshot_store import SnapshotStore
from zenith_serving.registry import open_registry
from zenith_serving.schemas.predictions import ModelAnswer, PriceAnswer, SignalAnswer
from zenith_serving.settings import Settings, require_home

_SIGNAL = "signal"
_COUNTED_AS: dict[Kind, str] = {"lstm": "price", "ensemble": "signal"}
_NEW, _CACHED = b'"cached":false', b'"cached":true'  # in an answer's JSON; what is free text comes after it


def utc_now() -> datetime:
    """The clock of a predictor unless another is given."""
    return datetime.now(UTC)


def _nobody_counts(kind: str, cached: bool) -> None:
    """What a predictor tells of its answers, unless somebody counts them."""


def make_predictor(settings: Settings) -> "Predictor":
    """A predictor over ZENITH_HOME's snapshots and the registry's Production models. Touches neither yet.

    Raises UserError if ZENITH_HOME cannot be a folder: else its every answer would be "no predictions yet".
    """
    require_home(settings)
    return Predictor(
        snapshots=SnapshotStore(settings.snapshots),
        models=ModelStore(
            open_registry(settings.tracking_uri), LastGood(settings.last_good), settings.zenith_model_memory_mb * 2**20
        ),
        cache=open_cache(settings),
    )


class Predictor:
    """Looks up snapshot and model, answers from the cache or computes. Safe to share between threads."""

    def __init__(
        self,
        snapshots: SnapshotStore,
        models: ModelStore,
        cache: Cache,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.snapshots = snapshots
        self.models = models
        self.cache = cache
        self._clock = clock
        self.on_answer: Callable[[str, bool], None] = _nobody_counts
        """Told of each answer: "price" or "signal", and whether it was cached. From any thread."""
        self._flights = SingleFlight[bytes]()

    def predict_price(self, ticker: str, horizon: int = 5, *, use_cache: bool = True) -> PriceAnswer:
        """Forecast the next `horizon` sessions. Raises as `price_json` does."""
        return PriceAnswer.model_validate_json(self.price_json(ticker, horizon, use_cache=use_cache))

    def predict_signal(self, ticker: str, *, use_cache: bool = True) -> SignalAnswer:
        """Choose between buy, hold and sell. Raises as `signal_json` does."""
        return SignalAnswer.model_validate_json(self.signal_json(ticker, use_cache=use_cache))

    def price_json(self, ticker: str, horizon: int = 5, *, use_cache: bool = True) -> bytes:
        """A PriceAnswer as the JSON that goes out; what is cached is not touched any more.

        Raises InvalidTicker, UserError (horizon), UnknownTicker, TickerGone, ModelUnavailable, FeatureMismatch,
        RegistryUnavailable or CorruptData.
        """
        if not 1 <= horizon <= HORIZONS:
            raise UserError(f"horizon must be 1 to {HORIZONS} sessions")
        snapshot, model = self._inputs("lstm", ticker)
        now = self._clock()
        key = _key(snapshot, model, _price(horizon), now)

        def compute() -> dict[str, Any]:
            return price_answer(snapshot, model, forecast_prices(model.run, snapshot), horizon, now)

        return self._answer(PriceAnswer, key, snapshot.ticker, use_cache, compute)

    def signal_json(self, ticker: str, *, use_cache: bool = True) -> bytes:
        """A SignalAnswer as the JSON that goes out. Raises as `price_json` does, but for the horizon."""
        snapshot, model = self._inputs("ensemble", ticker)
        now = self._clock()
        key = _key(snapshot, model, _SIGNAL, now)

        def compute() -> dict[str, Any]:
            return signal_answer(snapshot, model, signal_probabilities(model.run, snapshot), now)

        return self._answer(SignalAnswer, key, snapshot.ticker, use_cache, compute)

    async def new_price(self, ticker: str, horizon: int) -> bytes:
        """What `price_json` answers if the cache is not used, on an event loop. Raises as that does.

        All who ask in one turn of the loop are read first, then their models run, then their answers are written:
        ONNX Runtime and Python push each other's code out of the processor's caches, which costs more than the model
        does (docs/decisions/0040).
        """
        await asyncio.sleep(0)
        snapshot, model = self._inputs("lstm", ticker)
        forecast = forecast_prices(model.run, snapshot)
        await asyncio.sleep(0)
        now = self._clock()
        answer = price_answer(snapshot, model, forecast, horizon, now)
        return self._told(PriceAnswer, self._kept(_key(snapshot, model, _price(horizon), now), snapshot.ticker, answer))

    async def new_signal(self, ticker: str) -> bytes:
        """What `signal_json` answers if the cache is not used, as `new_price` does."""
        await asyncio.sleep(0)
        snapshot, model = self._inputs("ensemble", ticker)
        probabilities = signal_probabilities(model.run, snapshot)
        await asyncio.sleep(0)
        now = self._clock()
        answer = signal_answer(snapshot, model, probabilities, now)
        return self._told(SignalAnswer, self._kept(_key(snapshot, model, _SIGNAL, now), snapshot.ticker, answer))

    def price_at_hand(self, ticker: str, horizon: int) -> bytes | None:
        """What `price_json` would answer, if memory holds it. Raises as that does."""
        return self._at_hand("lstm", ticker, _price(horizon))

    def signal_at_hand(self, ticker: str) -> bytes | None:
        """What `signal_json` would answer, if memory holds it. Raises as that does."""
        return self._at_hand("ensemble", ticker, _SIGNAL)

    def is_warm(self, ticker: str, *kinds: Kind) -> bool:
        """Whether an answer waits for nothing: model and data are in memory, and so is the cache."""
        loaded = all(self.models.is_loaded(kind, ticker) for kind in kinds)
        return loaded and self.cache.is_local and self.snapshots.is_loaded(ticker)

    def _at_hand(self, kind: Kind, ticker: str, request: str) -> bytes | None:
        snapshot, model = self._inputs(kind, ticker)
        kept = self.cache.at_hand(snapshot.ticker, _key(snapshot, model, request, self._clock()))
        if kept:
            self.on_answer(_COUNTED_AS[kind], True)
        return kept

    def _inputs(self, kind: Kind, ticker: str) -> tuple[ServingSnapshot, ServedModel]:
        snapshot = self.snapshots.get(validate_ticker(ticker))
        # Until then it is served as stale; a ticker that is only not refreshed is so for ever.
        if snapshot.next_sessions[-1] <= self._clock().date() and (gone := self.snapshots.delisted(snapshot.ticker)):
            raise TickerGone(f"{snapshot.ticker} is traded no more: {gone}")
        model = self.models.get(kind, snapshot.ticker)
        if model.feature_spec != snapshot.feature_spec:
            raise FeatureMismatch(
                f"{model.name} version {model.version} was trained on features {model.feature_spec}, the data of"
                f" {snapshot.ticker} holds {snapshot.feature_spec}: train it again"
            )
        if model.data_end > snapshot.as_of.isoformat():
            raise FeatureMismatch(
                f"{model.name} version {model.version} has seen prices up to {model.data_end}, the data of"
                f" {snapshot.ticker} end on {snapshot.as_of}: it would know the future; train it again on these data"
            )
        return snapshot, model

    def _answer(
        self, kind: type[ModelAnswer], key: str, ticker: str, use_cache: bool, compute: Callable[[], dict[str, Any]]
    ) -> bytes:
        def look_then_compute() -> bytes:
            return self.cache.get(ticker, key, kind) or self._kept(key, ticker, compute())

        answer = self._flights.do(key, look_then_compute) if use_cache else self._kept(key, ticker, compute())
        return self._told(kind, answer)

    def _kept(self, key: str, ticker: str, answer: dict[str, Any]) -> bytes:
        """The answer's JSON, which the cache has as well from now on."""
        new = to_json(answer)
        self.cache.put(ticker, key, new.replace(_NEW, _CACHED, 1))
        return new

    def _told(self, kind: type[ModelAnswer], answer: bytes) -> bytes:
        self.on_answer("price" if kind is PriceAnswer else "signal", _CACHED in answer)
        return answer


def _key(snapshot: ServingSnapshot, model: ServedModel, request: str, now: datetime) -> str:
    """Under what an answer is cached. The day is part of it because the age of the data is part of the answer."""
    return f"{model.name}:{model.version}:{snapshot.data_version}:{request}:{now.date()}"


def _price(horizon: int) -> str:
    return f"price:{horizon}"
