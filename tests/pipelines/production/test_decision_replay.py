"""Promotion decisions computed again from the registry and the raw prices of their time."""

from dataclasses import replace

import pytest

from tests.pipelines.synthetic_models import WINDOW, register_version
from zenith_core.errors import NotAvailable, UserError
from zenith_core.features.model_features import FEATURES, feature_spec_hash
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.ingestion.sources.base import RAW_PRICES
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
from zenith_pipelines.production.decision_replay import (
    DecisionReplay,
    compare_gates,
    data_at,
    find_decision,
    replay_decision,
)
from zenith_pipelines.production.promotion import promote_if_better
from zenith_pipelines.registry.decision_log import decision_history

TICKER, MODEL = "SIM-NOISE-7", "lstm-SIM-NOISE-7"
FETCHED, LATER = "2026-01-05T00:00:00+00:00", "2026-01-06T00:00:00.000000Z"
GATE = {"gate": "loss", "passed": True, "says": "+0.1 %", "figures": {"change": 0.001, "by": [1, 2.0]}}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One raw snapshot of 700 sessions."""
    store = DatasetStore(str(tmp_path_factory.mktemp("data")))
    raw = SimulatedSource().fetch(TICKER).prices.iloc[-700:]
    store.write(RAW_PRICES, TICKER, Dataset({"prices": raw}, {"fetched_at": FETCHED}), keep_history=True)
    return store


@pytest.fixture(scope="module")
def decisions(registry, store):
    """A promotion, and a refusal of a worse version on newer data."""
    current = data_at(store, TICKER, LATER, WINDOW)
    features = current.features.dropna(subset=[*FEATURES, "volatility"])
    for rows, foresight in ((features.iloc[:-60], 0.3), (features, 0.0)):
        spec = feature_spec_hash()
        version = register_version(
            registry, "lstm", TICKER, rows, spec=spec, foresight=foresight, config={"window": WINDOW}
        )
        promote_if_better(registry, "lstm", version.version, current)
    return decision_history(registry, MODEL)


@pytest.fixture(scope="module")
def replays(registry, store, decisions):
    return [replay_decision(registry, store, MODEL, record) for record in decisions]


@pytest.mark.slow
def test_each_decision_has_its_verdict_and_figures_again(replays):
    assert [(one.record.version, one.record.outcome) for one in replays] == [(1, "promoted"), (2, "refused")]
    for replay in replays:
        assert replay.missing == ()
        assert [gate["gate"] for gate in replay.gates] == [gate["gate"] for gate in replay.record.gates]
        assert replay.is_same


@pytest.mark.slow
def test_a_record_with_another_figure_or_verdict_is_not_the_same(replays):
    gates, again = replays[1].record.gates, replays[1].gates
    loss = next(gate for gate in gates if gate["gate"] == "loss")
    figures = {**loss, "figures": {**loss["figures"], "candidate": loss["figures"]["candidate"] * 1.001}}
    records = [[other if gate is loss else gate for gate in gates] for other in (figures, {**loss, "passed": True})]

    for changed in (*records, [gate for gate in gates if gate is not loss]):
        record = replace(replays[1].record, gates=changed)
        assert not DecisionReplay(MODEL, record, compare_gates(changed, again), ()).is_same


@pytest.mark.slow
def test_it_says_what_is_missing(registry, store, decisions, tmp_path):
    record = decisions[1]
    empty = replay_decision(registry, DatasetStore(str(tmp_path)), MODEL, record)
    early = replay_decision(registry, store, MODEL, replace(record, at="2026-01-02T00:00:00.000000Z"))
    gone = replay_decision(registry, store, MODEL, replace(record, version=9))

    assert empty.missing == (f"raw prices of {TICKER} that were fetched before {record.at[:16]}",)
    assert early.missing == (f"raw prices of {TICKER} that were fetched before 2026-01-02T00:00",)
    assert list(gone.missing) == [f"{MODEL} version 9: it was deleted"]
    assert not (empty.gates or early.gates or gone.gates)


@pytest.mark.slow
def test_a_decision_is_found_by_model_version_or_time(registry, decisions):
    first, last = decisions

    assert find_decision(registry, MODEL) == (MODEL, last)
    assert find_decision(registry, f"{MODEL}/1") == (MODEL, first)
    assert find_decision(registry, f"{MODEL}@{first.at}") == (MODEL, first)
    with pytest.raises(UserError, match="2 decisions about"):
        find_decision(registry, f"{MODEL}@20")
    with pytest.raises(NotAvailable, match="--history` lists them"):
        find_decision(registry, f"{MODEL}/9")


@pytest.mark.parametrize("text", ["", "AAPL", "lstm-", "other-AAPL", "lstm-AAPL/x", "lstm-AAPL/1@2026"])
def test_another_form_is_refused_with_an_example(registry, text):
    with pytest.raises(UserError, match="expected MODEL, MODEL/VERSION or MODEL@TIME, for example lstm-AAPL/3"):
        find_decision(registry, text)


def test_figures_may_differ_in_the_last_digits_and_by_their_sentence():
    again = {**GATE, "says": "+0.10 %", "figures": {"change": 0.001 * (1 + 1e-12), "by": [1, 2]}}
    assert [gate["same"] for gate in compare_gates([GATE], [again])] == [True]
    for other in ({"change": 0.00101, "by": [1, 2]}, {"change": 0.001, "by": [1]}, {"change": 0.001}, {"change": None}):
        assert [gate["same"] for gate in compare_gates([GATE], [{**GATE, "figures": other}])] == [False]
