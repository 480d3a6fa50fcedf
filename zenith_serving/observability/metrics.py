"""What Prometheus reads at `/metrics`. Right with several workers too: their numbers meet in files that they share.

What only this process knows (models in memory, is the registry there for it) are gauges that the watcher sets, so that
whichever worker is asked can tell for all. What all see alike (the age of the data) is read when asked for.
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
MOST_TICKERS = 500  # each is a time series of its own
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# How several workers' values become one, and what the value is.
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
        mine = self._registry = CollectorRegistry()
        self._requests = Counter(
            "zenith_http_requests", "Requests answered.", ["method", "route", "status"], registry=mine
        )
        self._seconds = Histogram(
            "zenith_http_request_seconds", "Time to the whole answer.", ["route"], buckets=_BUCKETS, registry=mine
        )
        self._children: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._counts: dict[tuple[str, bool], Callable[[], None]] = {}
        self._predictions = Counter("zenith_predictions", "Predictions made.", ["kind", "cached"], registry=mine)
        self._gauges = {
            name: Gauge(f"zenith_{name}", text, multiprocess_mode=mode, registry=mine)
            for name, (mode, text) in _GAUGES.items()
        }
        if FOLDER_VARIABLE not in os.environ:
            for collector in (ProcessCollector, PlatformCollector):
                collector(registry=mine)
            mine.register(self._ages)

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
        """All of it in Prometheus' format; reads snapshots that were not read yet."""
        if FOLDER_VARIABLE not in os.environ:
            self.check()
            return generate_latest(self._registry)
        forget_dead_workers()
        everybody_s = CollectorRegistry()
        MultiProcessCollector(everybody_s)  # type: ignore[no-untyped-call]
        everybody_s.register(self._ages)
        return generate_latest(everybody_s)


class DataAges(Collector):
    """The age of each ticker's data at the moment, and what is running."""

    def __init__(self, predictor: Predictor, clock: Callable[[], datetime]) -> None:
        self._predictor = predictor
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Nothing is read at registration."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """One sample for each of the first MOST_TICKERS tickers whose snapshot can be read."""
        yield InfoMetricFamily("zenith_build", "What is running.", {"version": version()})
        tickers = self._predictor.snapshots.tickers()
        yield GaugeMetricFamily("zenith_tickers", "Tickers with data to predict from.", len(tickers))
        ages = GaugeMetricFamily(
            "zenith_data_age_sessions", "Sessions begun since the last closed one in the data.", labels=["ticker"]
        )
        now = self._clock()
        for ticker in tickers[:MOST_TICKERS]:
            try:
                ages.add_metric([ticker], age_in_sessions(self._predictor.snapshots.get(ticker), now))
            except ZenithError:
                continue  # it is logged, and /health counts the ticker
        yield ages
