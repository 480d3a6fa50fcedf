"""Evidence as facts of the ledger, beside that of all tickers."""

from math import log

import pandas as pd
import pytest

from tests.core.evaluation.test_track_record import DAYS, ledger
from zenith_core.errors import NotAvailable
from zenith_core.evidence.track_evidence import ledger_evidence, walk_forward_start
from zenith_pipelines.datasets.atomic_files import parquet_bytes
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.evidence import EVIDENCE, START, evidence_beside_others, evidence_facts
from zenith_pipelines.production.ledger import FORECASTS, LEDGER

RIGHT = {"forecast": 102.0, "actual": 104.0}
WALK_FORWARD = ledger(20, **RIGHT)
NOW = ledger(40, **RIGHT).iloc[20:]  # 20 forecasts after the walk-forward


class Registry:
    """The first versions' walk-forwards by model name."""

    def __init__(self, walk_forward=None):
        self.walk_forward = walk_forward

    def version(self, name, version):
        if self.walk_forward is None or (name, version) != ("lstm-AAPL", 1):
            raise NotAvailable(f"no {name} version {version}")
        return pd.Series({"version": version})

    def file(self, _name, _version, _path):
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
    assert first[EVIDENCE] == ledger_evidence(NOW, first[START]["by_horizon"])
    assert first[EVIDENCE]["1"]["since"] == str(DAYS[0].date())


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
    evidence = evidence_beside_others(store, "AAPL", NOW.assign(actual=float("nan")), facts)

    assert evidence["1"]["required"] == 3 / 2 / 0.05
    assert evidence["20"]["required"] == 3 / 0.05


def test_a_damaged_ledger_of_another_ticker_still_counts(store, tmp_path):
    write(store, "AAPL")
    write(store, "IBM")
    (tmp_path / LEDGER / "IBM" / "current.json").write_text("{")

    assert evidence_beside_others(store, "AAPL", NOW, {})["1"]["required"] == 40
