"""The evidence of served forecasts as facts of the ledger, and the e-values of all tickers that it is judged beside."""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import pandas as pd

from zenith_core.errors import NotAvailable, ZenithError
from zenith_core.evaluation.forecast_ledger import in_the_open
from zenith_core.evaluation.signal_ledger import replay_signals
from zenith_core.evidence.claims import Evidence, TickerEvidence, Universe, nearest_horizon
from zenith_core.evidence.track_evidence import (
    Start,
    ledger_evidence,
    signal_evidence,
    signal_start,
    walk_forward_start,
)
from zenith_core.features.targets import labels_before
from zenith_core.forecasting.abstention import SignalDecision, withhold
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import Kind, task_of
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import EVIDENCE, HEADLINE_HORIZON, model_name
from zenith_pipelines.datasets.atomic_files import parquet_table
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.ledger import LEDGER
from zenith_pipelines.registry.model_registry import ModelRegistry

PRICES, START, SIGNAL_START = "evidence", "evidence_start", "signal_evidence_start"  # facts of the ledger
_FIRST = 1  # the number that MLflow gives to the first version, and to no other


def evidence_facts(store: DatasetStore, registry: ModelRegistry, ticker: str, ledger: pd.DataFrame) -> dict[str, Any]:
    """Return the facts of the ledger that hold the evidence of `ledger`, its newest table.

    The walk-forwards are read once and then kept, so that neither a retraining nor a clean-up changes them.
    """
    facts = store.facts(LEDGER, ticker) if store.exists(LEDGER, ticker) else {}
    answering = ANSWERS.of(ticker)
    prices = facts.get(START) or _first_prices(registry, model_name(answering["price"], ticker), ledger)
    signals = facts.get(SIGNAL_START) or _first_signals(store, registry, model_name(answering["signal"], ticker))
    return {START: prices, SIGNAL_START: signals, PRICES: ledger_evidence(ledger, prices["by_horizon"])}


def ticker_evidence(ledger: pd.DataFrame, entries: pd.DataFrame, facts: Mapping[str, Any]) -> TickerEvidence:
    """Return the evidence of a ticker from the table, the entries and the facts of its ledger."""
    starts = [facts.get(name, {}).get("by_horizon", {}) for name in (START, SIGNAL_START)]
    return {"price": ledger_evidence(ledger, starts[0]), "signal": signal_evidence(replay_signals(entries), starts[1])}


def publish_evidence(store: DatasetStore, ticker: str, evidence: TickerEvidence) -> None:
    """Store a ticker's evidence where it is read beside that of all others."""
    store.write(EVIDENCE, ticker, Dataset(facts={str(task): own for task, own in evidence.items()}))


class Claims:
    """The evidence of all tickers as it is stored now, or as `newer` has it."""

    def __init__(self, store: DatasetStore, newer: Mapping[str, TickerEvidence] | None = None) -> None:
        tickers = store.tickers(LEDGER)
        self._tickers = {ticker: _stored(store, ticker) for ticker in tickers} | dict(newer or {})
        self._universe = Universe(self._tickers.values())

    def of(self, ticker: str, task: Task) -> dict[str, Evidence]:
        """Return a ticker's evidence for a task by horizon."""
        return self._universe.judge_all(self._tickers.get(ticker, {}), task)

    def nearest(self, ticker: str, task: Task, horizon: int) -> tuple[int, Evidence]:
        """Return a ticker's evidence for a task, of prices at the nearest horizon, and that horizon."""
        own = self._tickers.get(ticker, {})
        nearest = nearest_horizon(own, task, horizon) if task == "price" else str(horizon)
        return int(nearest), self._universe.judge(own, task, nearest)

    def of_kind(self, ticker: str, kind: Kind, horizon: int = HEADLINE_HORIZON) -> Evidence | None:
        """Return the evidence for a kind of model at the nearest horizon; None unless it answers the ticker's task."""
        task = task_of(kind)
        if task is None or ANSWERS.of(ticker)[task] != kind:
            return None
        own = self._tickers.get(ticker, {})
        return self._universe.judge(own, task, nearest_horizon(own, task, horizon))

    def has_discovered(self, ticker: str, kind: Kind, horizon: int = HEADLINE_HORIZON) -> bool:
        """Return True if a kind of model has a star."""
        evidence = self.of_kind(ticker, kind, horizon)
        return evidence is not None and evidence["discovered"]


def served_signal(forecast: Mapping[str, Any], *, is_claim: bool) -> dict[str, Any]:
    """Return the newest forecast's facts of the ledger with the signal that is served.

    They hold the model's own decision, because the evidence of other tickers comes and goes.
    """
    own = SignalDecision(forecast["signal"], forecast["reason"])
    answer = withhold(own, is_claim=is_claim)
    probability = forecast["probability"] if answer.signal == own.signal else None
    probability = forecast.get("probabilities", {}).get(answer.signal, probability)
    return {**forecast, "signal": answer.signal, "reason": answer.reason, "probability": probability}


def _stored(store: DatasetStore, ticker: str) -> TickerEvidence:
    """Return the stored evidence of a ticker; none if it is damaged. Earlier releases kept it in the ledger alone."""
    try:
        return cast(TickerEvidence, store.facts(EVIDENCE, ticker))
    except NotAvailable:
        pass
    except ZenithError:
        return {}
    try:
        return {"price": store.facts(LEDGER, ticker).get(PRICES, {})}
    except ZenithError:
        return {}


def _first_prices(registry: ModelRegistry, name: str, ledger: pd.DataFrame) -> dict[str, Any]:
    """Return the start of the bets on prices."""
    origins = ledger.loc[in_the_open(ledger), "origin"]

    def start(forecasts: pd.DataFrame) -> Start:
        return walk_forward_start(forecasts, origins.min() if len(origins) else None)

    return _first_walk_forward(registry, name, start)


def _first_signals(store: DatasetStore, registry: ModelRegistry, name: str) -> dict[str, Any]:
    """Return the start of the bets on signals. Their naive forecast knows the labels before the walk-forward too."""

    def start(signals: pd.DataFrame) -> Start:
        config = json.loads(registry.file(name, _FIRST, "facts.json"))["study"]["config"]
        features, first = store.read("indicator_features", name.partition("-")[2]).table, signals["date"].min()
        earlier = labels_before(features, first, config["horizon"], config["threshold"])
        return signal_start(signals, config["horizon"], earlier)

    return _first_walk_forward(registry, name, start)


def _first_walk_forward(registry: ModelRegistry, name: str, start: Callable[[pd.DataFrame], Start]) -> dict[str, Any]:
    """Return the wealth with which bets begin: `start` of the first version's walk-forward, none if that is gone."""
    try:
        return {"version": _FIRST, "by_horizon": start(parquet_table(registry.file(name, _FIRST, "evidence.parquet")))}
    except Exception:  # no such version, or its file is gone: each of MLflow's stores has an error of its own
        return {"version": None, "by_horizon": {}}
