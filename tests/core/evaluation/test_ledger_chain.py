"""The chain of a forecast ledger: it only grows, and every change of an earlier entry is seen."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from tests.core.ledgers import add_forecasts, continue_chain
from tests.core.risk.distributions import normal_distribution
from zenith_core.errors import CorruptData
from zenith_core.evaluation.forecast_ledger import COLUMNS, RISK_NUMBERS, append_rows, fill_actuals, ledger_rows
from zenith_core.evaluation.ledger_chain import (
    ENTRY_COLUMNS,
    GENESIS,
    append_entry,
    entry_hash,
    extend_ledger,
    no_entries,
    replay,
    verify,
)
from zenith_core.inference import PriceForecast
from zenith_core.snapshot import ServingSnapshot

FIRST = date(2024, 1, 1)
NO_CLOSES = pd.Series(dtype=float, index=pd.DatetimeIndex([]))


def moment(day):
    return datetime(2024, 1, 1, 22, tzinfo=UTC) + timedelta(days=day)


def rows(day, price=101.0, version=3, model_type="lstm", distribution=None):
    """Thirty forecasts from the close of 1 January plus `day`, whose next sessions are the next days."""
    as_of = FIRST + timedelta(days=day)
    snapshot = ServingSnapshot(
        ticker="AAPL",
        data_version=f"d{day}",
        feature_spec="f1",
        as_of=as_of,
        close=100.0 + day,
        currency="USD",
        volatility=0.02,
        window=np.zeros((3, 2), dtype=np.float32),
        next_sessions=tuple(as_of + timedelta(days=n) for n in range(1, 31)),
    )
    prices = np.full(30, price, dtype=np.float32)
    forecast = PriceForecast(price=prices, quantiles=np.stack([prices - 5, prices, prices + 5.1], axis=1))
    return ledger_rows(snapshot, forecast, model_type, version, moment(day), distribution)


def closes(days):
    index = pd.DatetimeIndex([FIRST + timedelta(days=n) for n in range(days)])
    return pd.Series(100.0 + np.arange(days) / 3, index=index)


def ledger(days):
    entries = no_entries()
    for day in range(days):
        entries = add_forecasts(entries, "AAPL", moment(day), rows(day), closes(day + 1))
    return entries


@pytest.mark.slow
@pytest.mark.parametrize("change", [None, lambda table: table.assign(lower=1.0), lambda table: table.iloc[::-1]])
def test_the_table_follows_from_the_entries_also_when_the_chain_is_replayed_once(change):
    earlier, recorded = ledger(4), (9, "0" * 64)
    table = change(replay(earlier)) if change else replay(earlier)
    stepwise = continue_chain(earlier, table, "AAPL", moment(4), recorded)
    stepwise = add_forecasts(stepwise, "AAPL", moment(4), rows(4), closes(6))

    entries, forecasts = extend_ledger(earlier, table, "AAPL", moment(4), rows(4), closes(6), recorded)

    pd.testing.assert_frame_equal(entries, stepwise)
    pd.testing.assert_frame_equal(forecasts, replay(entries))


@pytest.mark.slow
def test_a_ledger_begins_with_its_first_forecasts_or_with_those_of_an_earlier_release():
    for table in (None, replay(ledger(2)), replay(no_entries())):
        entries, forecasts = extend_ledger(no_entries(), table, "AAPL", moment(4), rows(4), closes(6))
        pd.testing.assert_frame_equal(forecasts, replay(entries))
        assert len(forecasts) == 30 + (0 if table is None else len(table))


@pytest.mark.slow
def test_each_day_adds_its_forecasts_and_the_outcomes_that_came_and_holds_the_hash_of_the_day_before():
    entries = ledger(3)

    assert entries["kind"].tolist() == ["forecast", "forecast", "outcome", "forecast", "outcome"]
    assert entries["number"].tolist() == [1, 2, 3, 4, 5]
    assert entries["previous"].tolist() == [GENESIS, *entries["hash"].iloc[:-1]]
    assert ledger(2).equals(entries.iloc[:3])
    summary = verify(entries)
    assert (summary.entries, summary.forecasts, summary.outcomes, summary.head) == (5, 90, 3, entries["hash"].iloc[-1])


@pytest.mark.slow
def test_the_table_of_forecasts_follows_from_the_entries_as_it_was_kept_before():
    table = None
    for day in range(4):
        table = fill_actuals(append_rows(table, rows(day)), closes(day + 1))

    rebuilt_table = replay(ledger(4))

    pd.testing.assert_frame_equal(rebuilt_table, table, check_dtype=False)
    assert list(rebuilt_table.columns) == list(COLUMNS)


@pytest.mark.slow
def test_risk_is_in_the_chain_and_a_ledger_of_before_has_none_of_it():
    earlier = rows(0).drop(columns=["scale_version", *RISK_NUMBERS])
    chain = add_forecasts(no_entries(), "AAPL", moment(0), earlier, closes(1))
    assert continue_chain(chain, earlier, "AAPL", moment(1)).equals(chain)

    new = rows(1, distribution=normal_distribution(scale_version="4"))
    chain = add_forecasts(chain, "AAPL", moment(1), new, closes(2))

    table = replay(chain)
    assert table["scale_version"].tolist() == [None] * 30 + ["4"] * 30
    assert table["var_1"].isna().sum() == 30
    np.testing.assert_array_equal(table["var_1"].iloc[30:], new["var_1"])
    assert continue_chain(chain, table, "AAPL", moment(2)).equals(chain)


@pytest.mark.slow
def test_the_same_forecasts_again_add_nothing():
    entries = ledger(3)
    again = add_forecasts(entries, "AAPL", moment(9), rows(2, price=999.0), closes(3))
    assert again.equals(entries)


@pytest.mark.slow
def test_a_ledger_of_an_earlier_release_is_the_first_entry_with_its_outcomes():
    table = fill_actuals(append_rows(rows(0), rows(1)), closes(2))

    entries = continue_chain(no_entries(), table, "AAPL", moment(5))

    assert entries["kind"].tolist() == ["start"]
    pd.testing.assert_frame_equal(replay(entries), table, check_dtype=False)
    more = add_forecasts(entries, "AAPL", moment(5), rows(5), closes(6))
    assert verify(more).outcomes == 5 + 4  # every day of the first forecast, and of the second


@pytest.mark.slow
def test_a_stored_row_that_differs_is_written_anew_from_the_chain_and_an_entry_says_so():
    entries = ledger(3)
    table = replay(entries)
    assert continue_chain(entries, table, "AAPL", moment(3)).equals(entries)

    table.loc[4, "forecast"] = 1.0
    with_repair = continue_chain(entries, table, "AAPL", moment(3))

    assert with_repair["kind"].iloc[-1] == "repaired"
    assert with_repair["rows"].iloc[-1] == '[{"origin":"2024-01-01","horizon":5,"model_type":"lstm","model_version":3}]'
    pd.testing.assert_frame_equal(replay(with_repair), replay(entries))


@pytest.mark.slow
def test_a_restored_backup_is_an_entry_that_names_what_is_missing():
    whole, backup = ledger(3), ledger(2)
    last_entry = (int(whole["number"].iloc[-1]), str(whole["hash"].iloc[-1]))
    assert continue_chain(whole, replay(whole), "AAPL", moment(4), last_entry).equals(whole)

    for entries, table in ((backup, replay(backup)), (no_entries(), None)):
        with_restoration = continue_chain(entries, table, "AAPL", moment(4), last_entry)
        assert with_restoration["kind"].iloc[-1] == "restored"
        assert with_restoration["rows"].iloc[-1] == f'[{{"entry":5,"hash":"{last_entry[1]}"}}]'
        verify(with_restoration)


def change(column, value, number=2):
    return lambda entries: entries.assign(**{column: entries[column].where(entries["number"] != number, value)})


def edit_a_number(entries):
    return entries.assign(rows=[text.replace("101.0", "102.0") for text in entries["rows"]])


def edit_and_hash_anew(entries):
    """Edit as an expert would: with the rule of the hashes, but up to the entry alone."""
    forgery = edit_a_number(entries)
    first = forgery.iloc[0].to_dict()
    return forgery.assign(hash=[entry_hash(first), *forgery["hash"].iloc[1:]])


BROKEN = {
    "an edited number": (edit_a_number, "entry 1 of 5 does not match its hash"),
    "an edited number hashed anew": (edit_and_hash_anew, "entry 2 of 5 does not hold the hash of the entry before"),
    "a removed entry": (lambda e: e.drop(index=1).reset_index(drop=True), "entry 2 of 4 has the number 3"),
    "a removed first entry": (lambda e: e.iloc[1:], "entry 1 of 4 has the number 2"),
    "a doubled entry": (lambda e: e.iloc[[0, 1, 1, 2]], "entry 3 of 4 has the number 2"),
    "two entries exchanged": (lambda e: e.iloc[[0, 2, 1, 3, 4]], "entry 2 of 5 has the number 3"),
    "an earlier time": (change("at", "2020-01-01T00:00:00+00:00"), "entry 2 of 5 does not match its hash"),
    "another ticker": (change("ticker", "IBM"), "entry 2 of 5 does not match its hash"),
    "a newer schema": (change("schema", 3), "entry 2 of 5 has the schema 3, this version reads 1 to 2"),
    "an unknown kind": (
        lambda e: append_entry(e, "AAPL", "gift", moment(3), []),
        "entry 6 of 6 is of the unknown kind gift",
    ),
    "a rename of another ticker": (
        lambda e: append_entry(e, "META", "renamed", moment(3), [{"from": "FB"}]),
        "entry 6 of 6 is of FB",
    ),
    "a rename of none": (
        lambda e: append_entry(e, "META", "renamed", moment(3), []),
        "entry 6 of 6 is of no ticker, though it is renamed",
    ),
    "the old name after a rename": (
        lambda e: append_entry(
            append_entry(e, "META", "renamed", moment(3), [{"from": "AAPL"}]), "AAPL", "removed", moment(4), []
        ),
        "entry 7 of 7 is of AAPL",
    ),
    "a forecast made again": (
        lambda e: append_entry(
            e, "AAPL", "forecast", moment(3), [{"origin": "2024-01-01", "horizon": 5, "model_version": 3}]
        ),
        "entry 6 forecasts again from 2024-01-01",
    ),
    "an outcome scored again": (
        lambda e: append_entry(
            e, "AAPL", "outcome", moment(3), [{"origin": "2024-01-01", "horizon": 1, "model_version": 3, "actual": 1.0}]
        ),
        "entry 6 scores no open forecast of 2024-01-01",
    ),
    "no entries": (lambda e: e.iloc[:0], "the ledger has no entries"),
    "other columns": (lambda e: e.drop(columns="previous"), "not a ledger"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "reason"), BROKEN.values(), ids=BROKEN)
def test_every_change_of_the_past_is_found_and_named(damage, reason):
    with pytest.raises(CorruptData, match=reason):
        verify(damage(ledger(3)))


@pytest.mark.slow
def test_a_removed_ticker_is_an_entry_and_the_chain_goes_on():
    entries = append_entry(ledger(2), "AAPL", "removed", moment(2), [])
    assert verify(entries).forecasts == 60
    assert verify(add_forecasts(entries, "AAPL", moment(3), rows(3), NO_CLOSES)).forecasts == 90


def test_the_hash_is_that_of_the_documented_list():
    entries = append_entry(no_entries(), "AAPL", "removed", datetime(2024, 1, 1, tzinfo=UTC), [])
    assert list(entries.columns) == list(ENTRY_COLUMNS)
    assert entries.iloc[0].to_dict() == {
        "number": 1,
        "schema": 2,
        "ticker": "AAPL",
        "kind": "removed",
        "at": "2024-01-01T00:00:00+00:00",
        "previous": "0" * 64,
        "rows": "[]",
        "hash": "12d08e1c29e080e7dee5920b865f9a98cb146e950170728c9e459dc4d26c904c",
    }


def of_schema_1(entries):
    """Return the chain as releases before 0.2.0 wrote it: without the kind of model in rows."""
    older = no_entries()
    for entry in entries.to_dict("records"):
        text = json.loads(entry["rows"])
        plain = [{name: value for name, value in row.items() if name != "model_type"} for row in text]
        row = {**entry, "schema": 1, "rows": json.dumps(plain, separators=(",", ":"))}
        row["previous"] = GENESIS if older.empty else older["hash"].iloc[-1]
        new = pd.DataFrame([{**row, "hash": entry_hash(row)}], columns=list(ENTRY_COLUMNS))
        older = new if older.empty else pd.concat([older, new], ignore_index=True)
    return older


@pytest.mark.slow
def test_a_chain_whose_rows_name_no_model_goes_on_as_forecasts_of_the_lstm():
    older, table = of_schema_1(ledger(3)), replay(ledger(3)).drop(columns="model_type")

    entries = continue_chain(older, table, "AAPL", moment(3))
    assert entries.equals(older)  # nothing is repaired, and no entry is written anew
    assert set(replay(entries)["model_type"]) == {"lstm"}
    assert add_forecasts(entries, "AAPL", moment(3), rows(2), closes(3)).equals(entries)

    more = add_forecasts(entries, "AAPL", moment(3), rows(3), closes(4))
    assert more["schema"].unique().tolist() == [1, 2]
    assert verify(more).forecasts == 4 * 30


@pytest.mark.slow
def test_forecasts_of_two_kinds_with_the_same_version_number_are_both_kept():
    entries = add_forecasts(ledger(1), "AAPL", moment(0), rows(0, price=99.0, model_type="gru"), closes(1))

    table = replay(entries)

    assert table.groupby("model_type")["forecast"].first().to_dict() == {"gru": 99.0, "lstm": 101.0}
    assert verify(add_forecasts(entries, "AAPL", moment(1), rows(1), closes(2))).outcomes == 2
