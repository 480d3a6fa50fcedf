import pandas as pd
import pytest

from tests.core.evaluation.test_ledger_chain import closes, rows
from zenith_core.errors import CorruptData
from zenith_core.evaluation.forecast_ledger import append_rows, fill_actuals
from zenith_core.evaluation.ledger_chain import verify
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.ledger import (
    ENTRIES,
    FORECASTS,
    LEDGER,
    SIGNALS_GIVEN,
    head_of,
    next_ledger,
    next_signals,
    read_entries,
    record_removal,
)


@pytest.fixture
def store(tmp_path):
    return DatasetStore(str(tmp_path))


def write_day(store, day, recorded=None):
    tables = next_ledger(store, "AAPL", rows(day), closes(day + 1), recorded)
    store.write(LEDGER, "AAPL", Dataset(tables, head_of(tables[ENTRIES])))
    return tables


@pytest.mark.slow
def test_each_run_adds_to_the_stored_chain_and_its_table(store):
    for day in range(3):
        tables = write_day(store, day)

    assert tables[ENTRIES]["kind"].tolist() == ["forecast", "forecast", "outcome", "forecast", "outcome"]
    on_disk = store.read(LEDGER, "AAPL").tables
    pd.testing.assert_frame_equal(on_disk[ENTRIES], tables[ENTRIES])
    pd.testing.assert_frame_equal(on_disk[FORECASTS], tables[FORECASTS], check_dtype=False)
    assert verify(on_disk[ENTRIES]).forecasts == len(on_disk[FORECASTS]) == 90
    assert "repaired" not in set(write_day(store, 3)[ENTRIES]["kind"])


def test_a_ledger_of_an_earlier_release_goes_on_in_a_chain(store):
    table = fill_actuals(append_rows(rows(0), rows(1)), closes(2))
    store.write(LEDGER, "AAPL", Dataset({FORECASTS: table}))
    assert read_entries(store, "AAPL").empty

    tables = write_day(store, 2)

    assert tables[ENTRIES]["kind"].tolist() == ["start", "forecast", "outcome"]
    assert len(tables[FORECASTS]) == 90


def test_a_lost_ledger_is_named_by_the_entry_that_was_recorded_last(store):
    head = head_of(write_day(store, 0)[ENTRIES])
    store.withdraw(LEDGER, "AAPL")

    tables = write_day(store, 1, (head["ledger_entries"], head["ledger_head"]))

    assert tables[ENTRIES]["kind"].tolist() == ["restored", "forecast"]
    assert head["ledger_head"] in tables[ENTRIES]["rows"].iloc[0]


def test_a_broken_chain_is_not_continued(store):
    tables = write_day(store, 0)
    entries = tables[ENTRIES].assign(rows=tables[ENTRIES]["rows"].str.replace("101.0", "102.0"))
    store.write(LEDGER, "AAPL", Dataset({**tables, ENTRIES: entries}))

    with pytest.raises(CorruptData, match="AAPL: entry 1 of 1 does not match its hash.*from a backup, or move it away"):
        next_ledger(store, "AAPL", rows(1), closes(2))


@pytest.mark.slow
def test_the_removal_of_a_ticker_is_an_entry(store):
    record_removal(store, "AAPL")  # there is no ledger yet
    write_day(store, 0)

    record_removal(store, "AAPL")

    assert read_entries(store, "AAPL")["kind"].tolist() == ["forecast", "removed"]
    assert write_day(store, 1)[ENTRIES]["kind"].tolist() == ["forecast", "removed", "forecast", "outcome"]


@pytest.mark.slow
def test_signals_are_kept_until_there_are_many_and_the_same_one_once(store):
    def given(origin, signal):
        facts = {"signal": signal, "probability": 0.4, "reason": "low_confidence", "forecast": 101.0}
        signals = next_signals(store, "AAPL", origin, facts, {"lstm": 1, "ensemble": 2})
        store.write(LEDGER, "AAPL", Dataset({}, {SIGNALS_GIVEN: signals}))
        return signals

    given("2026-11-26", "hold")
    assert [one["origin"] for one in given("2026-11-26", "hold")] == ["2026-11-26"]
    assert given("2026-11-27", "buy")[-1] == {
        **{"origin": "2026-11-27", "signal": "buy", "probability": 0.4, "reason": "low_confidence"},
        "versions": {"lstm": 1, "ensemble": 2},
    }
    many = [given(f"day {day}", "hold") for day in range(60)][-1]
    assert (len(many), many[0]["origin"], many[-1]["origin"]) == (60, "day 0", "day 59")
