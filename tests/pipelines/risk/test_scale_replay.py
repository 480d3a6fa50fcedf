"""A decision about the scale, computed again from the raw prices of its time."""

from dataclasses import replace

import pandas as pd
import pytest

from tests.core.scale_pools import swinging_prices
from tests.empty_databases import put_mlflow_database
from zenith_core.names import SCALE
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.ingestion.sources.base import RAW_PRICES
from zenith_pipelines.production.decision_replay import find_decision
from zenith_pipelines.registry.model_registry import ModelRegistry
from zenith_pipelines.risk.scale_replay import histories_at, replay_scale
from zenith_pipelines.risk.scale_versions import learn_scale, promote_scale, register_scale

FETCHED, LATER = "2026-01-05T00:00:00+00:00", "2026-01-06T00:00:00.000000Z"

pytestmark = pytest.mark.slow


def put(store, ticker, seed):
    prices = swinging_prices(seed, 1400).drop(columns="suspect")
    raw = prices.assign(dividends=0.0, splits=0.0)
    store.write(RAW_PRICES, ticker, Dataset({"prices": raw}, {"fetched_at": FETCHED}), keep_history=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = DatasetStore(str(tmp_path_factory.mktemp("data")))
    for seed in range(6):
        put(store, f"SWING-{seed}", seed)
    return store


@pytest.fixture(scope="module")
def registry(store, tmp_path_factory):
    """A scale that was promoted, and the same again, which was not."""
    folder = tmp_path_factory.mktemp("scales")
    put_mlflow_database(folder)
    registry = ModelRegistry(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")
    last = max(pd.Timestamp(moves.dates[-1]) for moves in histories_at(store, LATER))
    candidate = learn_scale(histories_at(store, LATER), f"{last:%Y-%m-%d}")
    for _ in range(2):
        promote_scale(registry, register_scale(registry, candidate, "run").version, candidate)
    return registry


def test_the_scale_is_learned_again_and_its_gates_are_the_same(store, registry):
    name, record = find_decision(registry, "scale/1")

    replay = replay_scale(registry, store, record)

    assert (name, record.outcome, replay.missing) == (SCALE, "promoted", ())
    assert [gate["gate"] for gate in replay.gates][-1] == "groups"
    assert replay.is_same


def test_it_says_what_is_missing(store, registry, tmp_path):
    record = find_decision(registry, "scale/1")[1]
    fewer = DatasetStore(str(tmp_path))
    for seed in range(5):
        put(fewer, f"SWING-{seed}", seed)

    (prices,) = replay_scale(registry, fewer, record).missing
    assert "of 6 tickers, " in prices
    assert prices.endswith("of 5 tickers are kept")
    assert replay_scale(registry, store, replace(record, version=9)).missing == ["scale version 9: it was deleted"]
    early = replay_scale(registry, store, replace(record, at="2026-01-02T00:00:00.000000Z"))
    assert "too few" in early.missing[0]
