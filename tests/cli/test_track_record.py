import json

import numpy as np
import pytest

from tests.core.evaluation.test_track_record import ledger
from zenith_pipelines.datasets.store import Dataset, DatasetStore


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    return DatasetStore(str(tmp_path / "data"))


@pytest.fixture
def track_record(zenith, store):
    """Run `zenith track-record` on a ledger; return its exit status, stdout and stderr."""

    def run(table, *arguments):
        if table is not None:
            store.write("forecast_ledger", "AAPL", Dataset({"forecasts": table}))
        return zenith("track-record", "AAPL", *arguments)

    return run


@pytest.mark.slow
def test_actual_prices_are_shown_beside_forecasts(track_record):
    status, text, _ = track_record(ledger(3).assign(actual=[104.0, 110.0, np.nan]))

    lines = [line.split() for line in text.splitlines()]
    assert status == 0
    assert ["1", "2", "50%", "5.00%", "7.00%"] in lines
    assert ["5", "0", "–", "–", "–"] in lines
    assert ["2026-01-02", "2026-01-05", "102.00", "98.00–106.00", "110.00", "outside"] in lines


def test_without_matured_forecasts_it_says_when_the_first_matures(track_record):
    _, text, _ = track_record(ledger(2).assign(actual=np.nan))

    assert text == "AAPL: no forecast has matured yet. The first one matures on 2026-01-02.\n"


@pytest.mark.slow
def test_forecasts_made_after_their_target_date_do_not_count(track_record):
    _, mature, _ = track_record(ledger(2, made_after=9))
    _, pending, _ = track_record(ledger(2, made_after=9).assign(actual=np.nan))

    assert mature.startswith("AAPL: no forecast has matured yet. None was made before its target date")
    assert "made too late" in mature
    assert pending.startswith("AAPL: no forecast has matured yet. None was made before its target date")


def test_json_is_the_record_of_the_service(track_record):
    record = json.loads(track_record(ledger(3), "--json")[1])

    assert (record["ticker"], len(record["forecasts"]), record["summary"]["1"]["matured"]) == ("AAPL", 3, 3)
    assert record["evidence"]["5"] == {
        **{"e_value": 1.0, "since": None, "required": 20.0, "discovered": False, "says": "no outcome yet"}
    }


def test_the_evidence_of_each_horizon_is_said_in_one_sentence(track_record, store):
    store.write("forecast_ledger", "IBM", Dataset({"forecasts": ledger(1)}))
    _, text, _ = track_record(ledger(3))

    (line,) = [line for line in text.splitlines() if "evidence" in line]
    assert line == (
        "1 session ahead, evidence: 3 to 1 since January 2026; the first claim among 2 tickers asks 40 to 1."
    )


def test_ticker_without_forecasts_gets_the_command_to_make_some(track_record):
    assert track_record(None)[::2] == (
        2,
        "zenith: no forecast_ledger for AAPL yet: `zenith run --tickers AAPL` makes it\n",
    )
