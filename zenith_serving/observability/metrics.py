"""Prometheus metrics, at `/metrics`. Several workers add up their numbers in shared files.

Facts of one process (models in memory, reachable registry) are gauges that the watcher sets, so that any worker can
report for all. Facts common to all (the age of the data) are read at each scrape.
"""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import Scope

from zenith_core.errors import ZenithError
from zenith_serving.observability.multiprocess_metrics import FOLDER_VARIABLE, forget_dead_workers
from zenith_serving.prediction.predictor import Predictor, utc_now
from zenith_serving.prediction.responses import age_in_sessions
from zenith_serving.request_id import RequestRecord
from zenith_serving.settings import version

CONTENT_TYPE = CONTENT_TYPE_LATEST
MAX_TICKERS = 500  # each is one more time series
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Aggregation over several workers, and help text.
_GAUGES: dict[str, tuple[Literal["livesum", "livemax", "livemin"], str]] = {
    "models_loaded": ("livesum", "Models in memory, of all workers."),
    "models_production": ("livemax", "Models in Production."),
    "model_problems": ("livemax", "Models that cannot be loaded."),
    "registry_up": ("livemin", "1 if every worker reaches the model registry."),
    "cache_up": ("livemin", "1 if every worker reaches its cache."),
}


class Metrics:
    """The counters of one application."""

    def __init__(self, predictor: Predictor, clock: Callable[[], datetime] = utc_now) -> None:
        self._predictor = predictor
        self._ages = DataAges(predictor, clock)
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "zenith_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "zenith_http_request_seconds", "Time to the whole answer.", ["route"], buckets=_BUCKETS, registry=registry
        )
        self._children: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._counts: dict[tuple[str, bool], Callable[[], None]] = {}
        self._predictions = Counter("zenith_predictions", "Predictions made.", ["kind", "cached"], registry=registry)
        self._gauges = {
            name: Gauge(f"zenith_{name}", text, multiprocess_mode=mode, registry=registry)
            for name, (mode, text) in _GAUGES.items()
        }
        if FOLDER_VARIABLE not in os.environ:
            for collector in (ProcessCollector, PlatformCollector):
                collector(registry=registry)
            registry.register(self._ages)

    def request(self, record: RequestRecord, _: Scope) -> None:
        """Count an answered request."""
        key = record[:3]
        if key not in self._children:
            self._children[key] = (self._requests.labels(*key).inc, self._seconds.labels(record.route).observe)
        count, measure = self._children[key]
        count()
        measure(record.seconds)

    def prediction(self, kind: str, cached: bool) -> None:
        """Count a prediction."""
        if (kind, cached) not in self._counts:
            self._counts[kind, cached] = self._predictions.labels(kind, "true" if cached else "false").inc
        self._counts[kind, cached]()

    def check(self) -> None:
        """Set the gauges, from memory."""
        models, cache = self._predictor.models.state(), self._predictor.cache.state()
        values = {
            "models_loaded": models["models"]["loaded"],
            "models_production": models["models"]["production"],
            "model_problems": len(models["models"]["problems"]),
            "registry_up": models["registry"]["state"] == "ok",
            "cache_up": cache["state"] == "ok",
        }
        for name, value in values.items():
            self._gauges[name].set(value)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format. Reads snapshots that were not read yet."""
        if FOLDER_VARIABLE not in os.environ:
            self.check()
            return generate_latest(self._registry)
        forget_dead_workers()
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]
        all_workers.register(self._ages)
        return generate_latest(all_workers)


class DataAges(Collector):
    """The current age of each ticker's data, and the version of Zenith."""

    def __init__(self, predictor: Predictor, clock: Callable[[], datetime]) -> None:
        self._predictor = predictor
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Return nothing: registration must not read snapshots."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield one age for each of the first MAX_TICKERS tickers whose snapshot can be read."""
        yield InfoMetricFamily("zenith_build", "The version of Zenith.", {"version": version()})
        tickers = self._predictor.snapshots.tickers()
        yield GaugeMetricFamily("zenith_tickers", "Tickers with data to predict from.", len(tickers))
        ages = GaugeMetricFamily(
            "zenith_data_age_sessions", "Sessions begun since the last closed one in the data.", labels=["ticker"]
        )
        now = self._clock()
        for ticker in tickers[:MAX_TICKERS]:
            try:
                ages.add_metric([ticker], age_in_sessions(self._predictor.snapshots.listed(ticker), now))
            except ZenithError:
                continue  # logged already, and counted in /health
        yield ages
