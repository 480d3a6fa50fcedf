"""Replay a decision about the scale of all tickers: learned again from the prices that were archived by then."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from zenith_core.errors import CorruptData, NotAvailable, ZenithError
from zenith_core.names import SCALE
from zenith_core.risk.price_moves import PriceMoves, price_moves
from zenith_pipelines.datasets.store import DatasetStore
from zenith_pipelines.ingestion.sources.base import RAW_PRICES
from zenith_pipelines.production.decision_replay import DecisionReplay, compare_gates, kept_version, prices_at
from zenith_pipelines.registry.decision_log import DecisionRecord
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.risk.distributions import market_of
from zenith_pipelines.risk.scale_versions import judge_scale, learn_scale, load_scale


def replay_scale(registry: ModelRegistry, store: DatasetStore, record: DecisionRecord) -> DecisionReplay:
    """Learn the scale again and evaluate its gates. A decision without gates, such as a rollback, has none again."""
    if not record.gates:
        return DecisionReplay(SCALE, record, (), ())
    missing: list[str] = []
    version = kept_version(registry, SCALE, record.version, missing)
    champion = kept_version(registry, SCALE, record.previous, missing) if record.previous else None
    if version is None or missing:
        return DecisionReplay(SCALE, record, (), missing)
    try:
        own = load_scale(registry, version)
        candidate = learn_scale(histories_at(store, record.at), own.data_end)
        if (candidate.model.tickers, candidate.model.rows) != (own.tickers, own.rows):
            then, now = (f"{one.rows:,} sessions of {one.tickers} tickers" for one in (own, candidate.model))
            return DecisionReplay(SCALE, record, (), (f"raw prices: it was learned from {then}, {now} are kept",))
        decision = judge_scale(registry, candidate, version, champion)
    except ZenithError as error:
        return DecisionReplay(SCALE, record, (), (str(error),))
    gates = [gate.to_json() for gate in decision.gates]
    return DecisionReplay(SCALE, record, compare_gates(record.gates, gates), ())


def histories_at(store: DatasetStore, moment: str) -> Iterator[PriceMoves]:
    """Clean the newest raw prices of each ticker that were fetched before `moment`, ISO."""
    for ticker in store.tickers(RAW_PRICES):
        with suppress(NotAvailable, CorruptData):
            prices = prices_at(store, ticker, moment)
            if len(prices):
                yield replace(price_moves(prices), market=market_of(ticker))
