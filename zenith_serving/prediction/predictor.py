"""Answers to the questions of the REST routes and of `zenith predict`. No HTTP here."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from zenith_core.errors import UserError, ZenithError
from zenith_core.inference import HORIZONS
from zenith_core.market.tickers import validate_ticker
from zenith_core.model_kinds.answers import ANSWERS, signal_kind
from zenith_core.model_kinds.table import MODEL_KINDS, Kind, kinds_of
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import ALERTS, CACHE_GENERATION_FILE, EVIDENCE
from zenith_core.snapshot import ServingSnapshot
from zenith_core.words import counted
from zenith_serving.errors import NoProductionModel, TickerGone
from zenith_serving.prediction.cache import Cache, LocalCache, cache_key
from zenith_serving.prediction.last_known_good import LastKnownGood
from zenith_serving.prediction.model_store import ModelStore
from zenith_serving.prediction.redis_cache import RedisCache
from zenith_serving.prediction.responses import answer_json
from zenith_serving.prediction.risk_answer import distribution_of, risk_answer
from zenith_serving.prediction.served_model import ServedModel
from zenith_serving.published.alert_record import AlertRecord
from zenith_serving.published.evidence_universe import EvidenceUniverse
from zenith_serving.published.snapshot_store import LEDGER, SnapshotStore
from zenith_serving.registry import open_registry
from zenith_serving.schemas.base import Answer
from zenith_serving.schemas.forecasts import TickerAlert
from zenith_serving.schemas.predictions import AnswerEvidence, ModelAnswer, PriceAnswer, SignalAnswer
from zenith_serving.schemas.risk import RiskAnswer, RiskRequest
from zenith_serving.settings import Settings, require_home
from zenith_serving.single_flight import SingleFlight

_SCHEMAS: dict[Task, type[ModelAnswer]] = {"price": PriceAnswer, "signal": SignalAnswer}


def utc_now() -> datetime:
    """Return the time: the clock of a predictor unless another is given."""
    return datetime.now(UTC)


def _ignore(task: str, cached: bool) -> None:
    """The observer of a predictor that has none."""


def make_predictor(settings: Settings) -> "Predictor":
    """Make a predictor over ZENITH_HOME's snapshots and the registry's Production models. Reads neither yet.

    Raises UserError if ZENITH_HOME cannot be a folder: every answer would be "no predictions yet".
    """
    require_home(settings)
    snapshots = SnapshotStore(settings.snapshots)
    return Predictor(
        snapshots=snapshots,
        models=ModelStore(
            open_registry(settings.tracking_uri),
            LastKnownGood(settings.last_good),
            settings.zenith_model_memory_mb * 2**20,
            snapshots.earlier_names,
        ),
        cache=open_cache(settings),
    )


def open_cache(settings: Settings) -> Cache:
    """Return a cache in Redis if `REDIS_URL` names one, else in this process's memory."""
    local = LocalCache(settings.ml_cache_ttl, generation=settings.home / CACHE_GENERATION_FILE)
    if settings.redis_url is None:
        return local
    return RedisCache(settings.redis_url.get_secret_value(), settings.ml_cache_ttl, local)


class Predictor:
    """Answers from the cache, or from the forecast that is kept of each model. Safe to share between threads."""

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
        self.universe = EvidenceUniverse(snapshots.reader(EVIDENCE), snapshots.reader(LEDGER))
        """The evidence of all tickers."""
        self._alerts = AlertRecord(snapshots.reader(ALERTS))
        self._clock = clock
        self.on_answer: Callable[[str, bool], None] = _ignore
        """Called for each answer with "price", "signal" or "risk", and True if it was cached. From any thread."""
        self._flights = SingleFlight[tuple[bytes, bool]]()

    def predict_price(
        self, ticker: str, horizon: int = 5, *, use_cache: bool = True, quantiles: Sequence[float] = ()
    ) -> PriceAnswer:
        """Forecast the next `horizon` sessions. Raises as `answer` does."""
        kind = ANSWERS.of(validate_ticker(ticker))["price"]
        answer = self.answer(kind, ticker, horizon, use_cache=use_cache, quantiles=quantiles)
        return PriceAnswer.model_validate_json(answer)

    def predict_signal(self, ticker: str, horizon: int | None = None, *, use_cache: bool = True) -> SignalAnswer:
        """Choose between buy, hold and sell for the next `horizon` sessions. Raises as `answer` does."""
        kind = signal_kind(validate_ticker(ticker), horizon)
        answer = self.answer(kind, ticker, use_cache=use_cache, signal_horizon=horizon)
        return SignalAnswer.model_validate_json(answer)

    def predict_risk(self, request: RiskRequest) -> RiskAnswer:
        """Return the risk over the next sessions. Raises as `answer_risk` does."""
        return RiskAnswer.model_validate_json(self.answer_risk(request))

    def recent_alerts(self, ticker: str) -> list[TickerAlert]:
        """Return the alerts of a validated ticker in the last days, the newest first."""
        return self._alerts.of(ticker, self._clock())

    def ready(self, kinds: Collection[Kind], ticker: str) -> dict[Kind, ServedModel] | None:
        """Return the models of `kinds`, which may be none, if an answer needs memory alone.

        That is: no file, no registry, no Redis, no ONNX Runtime.
        """
        snapshot = self.snapshots.peek(ticker) if self.cache.is_local else None
        if snapshot is None or self._reason_gone(snapshot, self._clock()):
            return None
        models = {kind: model for kind in kinds if (model := self.models.peek(kind, snapshot))}
        if any(model.version for model in models.values()) and not self.universe.is_read:
            return None
        return models if len(models) == len(kinds) else None

    def answer(
        self,
        kind: Kind,
        ticker: str,
        horizon: int = 5,
        *,
        use_cache: bool = True,
        models: Mapping[Kind, ServedModel] | None = None,
        quantiles: Sequence[float] = (),
        signal_horizon: int | None = None,
    ) -> bytes:
        """Return a PriceAnswer or SignalAnswer as JSON. `horizon` and `quantiles` are of prices.

        models:         from `ready`, which looked at the files a moment ago; None looks at them
        quantiles:      levels whose prices to add
        signal_horizon: sessions ahead that a signal must have; None accepts any

        Raises InvalidTicker, UserError (horizons, levels), UnknownTicker, TickerGone, ModelUnavailable,
        FeatureMismatch, DistributionUnavailable, RegistryUnavailable or CorruptData.
        """
        if not 1 <= horizon <= HORIZONS:
            raise UserError(f"horizon must be 1 to {HORIZONS} sessions")
        now = self._clock()
        model = models[kind] if models is not None else self._model(kind, ticker, now)
        task = model.task
        if task == "signal" and signal_horizon is not None:
            _require_horizon(model, signal_horizon)
        request = f"{task}:{horizon}" if task == "price" else task
        if quantiles:
            request += f":{','.join(map(str, quantiles))}"
        evidence = self._evidence(model, horizon, from_memory=models is not None)
        if evidence:
            request += f":{evidence.says}"
        key = cache_key(model.name, model.version, model.data_version, request, now.date())
        return self._answer(
            _Question(task, model.snapshot.ticker, key, _SCHEMAS[task]),
            lambda: answer_json(model, horizon, now, quantiles, evidence),
            use_cache=use_cache,
        )

    def answer_risk(self, request: RiskRequest) -> bytes:
        """Return a RiskAnswer as JSON, from the snapshot alone.

        Raises UnknownTicker, TickerGone, DistributionUnavailable, UserError (tails or prices beyond the data) or
        CorruptData.
        """
        now = self._clock()
        snapshot = self._snapshot(request.ticker, now)
        distribution = distribution_of(snapshot)
        data = f"{snapshot.data_version}:{distribution.data_version}"
        levels = request.model_dump_json(include={"horizon", "tails", "touch"})
        key = cache_key("scale", distribution.scale_version, data, f"risk:{levels}", now.date())
        return self._answer(
            _Question("risk", snapshot.ticker, key, RiskAnswer),
            lambda: risk_answer(snapshot, request, now).model_dump_json().encode(),
            use_cache=request.use_cache,
        )

    def compute_first(self, tickers: int) -> None:
        """Forecast the first of all tickers, which the page's table shows first, before a request asks for them."""
        now = self._clock()
        for ticker in islice(self.snapshots.tickers_after(""), tickers):
            for kind in ANSWERS.of(ticker).values():
                with suppress(ZenithError):  # a request will raise it
                    self._model(kind, ticker, now)

    def refresh(self, *, retry: bool = False) -> None:
        """Follow the registry and the snapshots: forecast again where either is new, before a request asks.

        retry: open broken versions again too, without their pause
        """
        self.models.refresh(retry=retry)
        for model in self.models.kept():
            with suppress(ZenithError):  # a request will raise it
                snapshot = self.snapshots.get(model.current.ticker)
                if snapshot is not model.current:
                    self.models.get(model.kind, snapshot)

    def _evidence(self, model: ServedModel, horizon: int, *, from_memory: bool) -> AnswerEvidence | None:
        """Return the evidence for the ticker's forecasts, None without a model."""
        if model.version is None:
            return None
        if model.task == "signal":
            horizon = model.signal_horizon or MODEL_KINDS[model.kind].horizon
        return self.universe.judge(model.snapshot.ticker, model.task, horizon, from_memory=from_memory)

    def _model(self, kind: Kind, ticker: str, now: datetime) -> ServedModel:
        return self.models.get(kind, self._snapshot(ticker, now))

    def _snapshot(self, ticker: str, now: datetime) -> ServingSnapshot:
        snapshot = self.snapshots.get(validate_ticker(ticker))
        if reason := self._reason_gone(snapshot, now):
            raise TickerGone(f"{snapshot.ticker} is no longer traded: {reason}")
        return snapshot

    def _reason_gone(self, snapshot: ServingSnapshot, now: datetime) -> str | None:
        """Return the reason why a ticker has no answers any more, or None.

        Until its last session it is served as stale; a ticker that is merely not refreshed is stale for ever.
        """
        return self.snapshots.delisted(snapshot.ticker) if snapshot.next_sessions[-1] <= now.date() else None

    def _answer(self, question: "_Question", respond: Callable[[], bytes], *, use_cache: bool) -> bytes:
        """Return the cached answer, or a new one. Callers of the same key share one look into the cache."""

        def compute() -> bytes:
            answer = respond()
            entry = answer.replace(b'"cached":false', b'"cached":true', 1)
            self.cache.put(question.ticker, question.key, entry)
            return answer

        def look_up() -> tuple[bytes, bool]:
            if answer := self.cache.get(question.ticker, question.key, question.schema):
                return answer, True
            return compute(), False

        if not use_cache:
            answer, is_cached = compute(), False
        elif entry := self.cache.peek(question.ticker, question.key):
            answer, is_cached = entry, True
        else:
            answer, is_cached = self._flights.do(question.key, look_up)
        self.on_answer(question.task, is_cached)
        return answer


def _require_horizon(model: ServedModel, horizon: int) -> None:
    """Raise UserError for a model whose signals have another horizon, NoProductionModel if none is trained for it."""
    own = model.signal_horizon or MODEL_KINDS[model.kind].horizon
    if own != horizon:
        horizons = sorted({MODEL_KINDS[kind].horizon for kind in kinds_of("signal")})
        raise UserError(
            f"{model.name} has signals of the next {counted(own, 'session')}, not {horizon}:"
            f" the kinds in use are for {', '.join(map(str, horizons))}, and ZENITH_MODELS adds others"
        )
    if model.version is None and model.kind != ANSWERS.of(model.snapshot.ticker)["signal"]:
        raise NoProductionModel(f"{model.name} has no version in Production yet")


class _Question(NamedTuple):
    """A question as the cache sees it: its key among the answers of a ticker, and the schema of those."""

    task: str
    ticker: str
    key: str
    schema: type[Answer]
