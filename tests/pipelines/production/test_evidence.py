"""Evidence as facts of the ledger, beside that of all tickers."""

import json
from math import log

import pandas as pd
import pytest

from tests.core.evaluation.test_track_record import DAYS, ledger
from zenith_core.errors import NotAvailable
from zenith_core.evaluation.ledger_chain import no_entries
from zenith_core.evidence.track_evidence import ledger_evidence, walk_forward_start
from zenith_pipelines.datasets.atomic_files import parquet_bytes
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.evidence import (
    PRICES,
    SIGNAL_START,
    START,
    Claims,
    evidence_facts,
    publish_evidence,
    served_signal,
    ticker_evidence,
)
from zenith_pipelines.production.ledger import FORECASTS, LEDGER

RIGHT = {"forecast": 102.0, "actual": 104.0}
WALK_FORWARD = ledger(20, **RIGHT)
NOW = ledger(40, **RIGHT).iloc[20:]  # 20 forecasts after the walk-forward


class Registry:
    """The first versions' walk-forwards by model name."""

    def __init__(self, walk_forward=None):
        self.walk_forward = walk_forward

    def file(self, name, version, _path):
        if self.walk_forward is None or (name, version) != ("lstm-AAPL", 1):
            raise NotAvailable(f"no {name} version {version}")
        return parquet_bytes(self.walk_forward)


@pytest.fixture
def store(tmp_path):
    return DatasetStore(str(tmp_path))


def write(store, ticker, **facts):
    store.write(LEDGER, ticker, Dataset({FORECASTS: NOW.reset_index(drop=True)}, facts))


def test_the_first_walk_forward_is_read_once_and_kept(store):
    first = evidence_facts(store, Registry(WALK_FORWARD), "AAPL", NOW)
    write(store, "AAPL", **first)
    later = evidence_facts(store, Registry(ledger(20, forecast=90.0, actual=104.0)), "AAPL", NOW)

    assert later == first
    assert first[START] == {"version": 1, "by_horizon": walk_forward_start(WALK_FORWARD)}
    assert first[PRICES] == ledger_evidence(NOW, first[START]["by_horizon"])
    assert first[PRICES]["1"]["since"] == str(DAYS[0].date())


def test_without_the_first_version_the_ledger_begins_alone_for_ever(store):
    facts = evidence_facts(store, Registry(), "AAPL", NOW)
    write(store, "AAPL", **facts)

    assert facts[START] == {"version": None, "by_horizon": {}}
    assert evidence_facts(store, Registry(WALK_FORWARD), "AAPL", NOW) == facts


def test_a_ticker_is_judged_beside_all_ledgers_also_those_without_evidence(store):
    write(store, "AAPL")
    write(store, "IBM", evidence={"1": {"log_e_value": log(1e6), "since": "2026-01-01"}})
    write(store, "MSFT")

    facts = store.facts(LEDGER, "AAPL")
    own = ticker_evidence(NOW.assign(actual=float("nan")), no_entries(), facts)
    evidence = Claims(store, {"AAPL": own}).of("AAPL", "price")

    assert evidence["1"]["required"] == 3 / 2 / 0.05
    assert evidence["20"]["required"] == 3 / 0.05


def test_a_damaged_ledger_of_another_ticker_still_counts(store, tmp_path):
    write(store, "AAPL")
    write(store, "IBM")
    (tmp_path / LEDGER / "IBM" / "current.json").write_text("{")

    assert Claims(store).of_kind("AAPL", "lstm", 1)["required"] == 40


def test_published_evidence_counts_before_that_of_an_earlier_release(store):
    write(store, "AAPL", evidence={"1": {"log_e_value": log(5), "since": "2026-01-01"}})
    assert not Claims(store).has_discovered("AAPL", "lstm", 1)
    found = {"log_e_value": log(1e6), "since": "2026-01-01"}
    publish_evidence(store, "AAPL", {"price": {"1": found}, "signal": {"5": found}})

    claims = Claims(store)
    assert claims.has_discovered("AAPL", "lstm", 1)
    assert claims.of("AAPL", "signal")["5"]["discovered"]
    assert claims.of_kind("AAPL", "gru") is None  # it does not answer


def test_signals_begin_with_the_first_walk_forward_and_keep_it(store):
    signals = pd.DataFrame({"date": DAYS[:40], "sell": 0.2, "hold": 0.3, "buy": 0.5, "label": "buy"})
    facts = {"study": {"config": {"horizon": 5, "threshold": 0.5}}}

    class Signals:
        def file(self, name, version, path):
            if (name, version) != ("ensemble-AAPL", 1):
                raise NotAvailable("no such version")
            return json.dumps(facts).encode() if path == "facts.json" else parquet_bytes(signals)

    store.write(
        "indicator_features", "AAPL", Dataset({"features": pd.DataFrame({"close": 1.0, "volatility": 0.01}, DAYS)})
    )
    first = evidence_facts(store, Signals(), "AAPL", NOW)
    write(store, "AAPL", **first)

    assert first[SIGNAL_START]["by_horizon"]["5"]["signals"] == 40
    assert evidence_facts(store, Registry(), "AAPL", NOW) == first


def test_a_signal_is_held_back_unless_it_is_discovered():
    own = {"signal": "buy", "reason": "model", "probability": 0.5, "probabilities": {"hold": 0.3, "buy": 0.5}}
    assert served_signal(own, is_claim=True) == own
    held = served_signal(own, is_claim=False)
    assert (held["signal"], held["reason"], held["probability"]) == ("hold", "not_discovered", 0.3)
    without = served_signal({**own, "probabilities": {}}, is_claim=False)
    assert without["probability"] is None
