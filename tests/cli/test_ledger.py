import json
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.core.evaluation.test_ledger_chain import closes, rows
from tests.core.ledgers import add_forecasts
from zenith_core.evaluation.ledger_chain import append_entry, no_entries
from zenith_core.names import ALL_TICKERS, UNIVERSE_LEDGER
from zenith_core.portfolio.universe_record import forecast_row
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.production.ledger import ENTRIES, FORECASTS, LEDGER, head_of, next_ledger


@pytest.fixture
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "home"))
    return DatasetStore(str(tmp_path / "home" / "data"))


@pytest.fixture
def head(store):
    """The last hash of AAPL's stored ledger of two days."""
    for day in range(2):
        tables = next_ledger(store, "AAPL", rows(day), closes(day + 1))
        store.write(LEDGER, "AAPL", Dataset(tables))
    return head_of(tables[ENTRIES])["ledger_head"]


def test_an_intact_ledger_is_one_line_with_its_last_hash(zenith, head):
    status, text, _ = zenith("ledger", "verify")

    assert status == 0
    assert text.startswith("AAPL: intact, 3 entries from 2")
    assert text.endswith(f"60 forecasts, 1 outcome, last hash {head}\n")
    document = json.loads(zenith("ledger", "verify", "AAPL", "--json")[1])
    assert (document["AAPL"]["intact"], document["AAPL"]["head"]) == (True, head)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_export_is_verified_by_itself(zenith, head, tmp_path, monkeypatch, suffix):
    file = str(tmp_path / f"ledger.{suffix}")
    assert zenith("export", "AAPL", "ledger", "-o", file)[0] == 0
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path / "elsewhere"))

    status, text, _ = zenith("ledger", "verify", file)

    assert (status, text.endswith(f"last hash {head}\n")) == (0, True)
    assert not (tmp_path / "elsewhere").exists()


def test_an_edited_export_is_exit_status_1_with_the_entry(zenith, head, tmp_path):
    file = tmp_path / "ledger.csv"
    zenith("export", "AAPL", "ledger", "-o", str(file))
    file.write_text(file.read_text().replace('""forecast"":101.0', '""forecast"":102.0', 1))

    status, text, errors = zenith("ledger", "verify", str(file))

    assert (status, text) == (1, "")
    assert errors == f"zenith: {file}: AAPL: entry 1 of 3 does not match its hash: it was changed\n"


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\x00", b"PAR1"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_that_is_no_ledger_is_one_line(zenith, tmp_path, content, suffix):
    file = tmp_path / f"other.{suffix}"
    file.write_bytes(content)

    status, _, errors = zenith("ledger", "verify", str(file))

    assert (status, errors.count("\n")) == (2, 1)
    assert errors.startswith(f"zenith: {file} ")


def test_a_ledger_without_a_chain_is_named_with_the_command_that_starts_it(zenith, store):
    store.write(LEDGER, "AAPL", Dataset({FORECASTS: rows(0)}))

    status, _, errors = zenith("ledger", "verify", "AAPL")

    assert status == 1
    assert errors.endswith("it has no chain yet: `zenith job refresh_prices --tickers AAPL`\n")


@pytest.mark.slow
def test_one_broken_ledger_does_not_hide_the_others(zenith, store, head):
    entries = add_forecasts(no_entries(), "IBM", rows(0)["made_at"].iloc[0], rows(0), closes(1))
    store.write(LEDGER, "IBM", Dataset({FORECASTS: rows(0), ENTRIES: entries.assign(kind="outcome")}))

    status, text, errors = zenith("ledger", "verify")

    assert status == 1
    assert text.startswith("AAPL: intact")
    assert errors == "zenith: IBM: entry 1 of 1 does not match its hash: it was changed\n"


FORECAST = forecast_row("2024-06-28", 5, ["AAPL", "MSFT"], np.full((2, 5), 0.2), 0.03, 0.04)
OUTCOME = {"origin": "2024-06-28", "horizon": 5, "tickers": 2, "rps": 0.15, "loss": 0.05, "hit": True}


def write_together(store, *chain):
    """Store a ledger of all tickers that holds rows by kind of entry."""
    entries = no_entries()
    for kind, row in chain:
        entries = append_entry(entries, ALL_TICKERS, kind, datetime(2024, 6, 28, 22, tzinfo=UTC), [row])
    store.write(UNIVERSE_LEDGER, ALL_TICKERS, Dataset({ENTRIES: entries}))


@pytest.mark.slow
def test_the_ledger_of_all_tickers_is_checked_too_stored_and_exported(zenith, store, head, tmp_path):
    write_together(store, ("forecast", FORECAST), ("outcome", OUTCOME))
    file = tmp_path / "all.csv"

    _, text, _ = zenith("ledger", "verify")
    assert text.splitlines()[1].startswith(
        "ALL-TICKERS: intact, 2 entries from 2024-06-28 to 2024-06-28, 1 forecast, 1 outcome, last hash "
    )
    assert zenith("export", "ALL-TICKERS", "ledger", "-o", str(file))[0] == 0
    assert zenith("ledger", "verify", str(file))[:2] == (0, text.splitlines()[1] + "\n")

    file.write_text(file.read_text().replace("0.05", "0.01"))
    status, _, errors = zenith("ledger", "verify", str(file))
    assert (status, "ALL-TICKERS: entry 2 of 2 does not match its hash" in errors) == (1, True)


@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        ([("forecast", FORECAST), ("forecast", FORECAST)], "there are two forecasts of one origin and horizon"),
        ([("outcome", OUTCOME)], "the outcome of 2024-06-28 over 5 sessions has no forecast"),
        ([("forecast", FORECAST), ("outcome", OUTCOME | {"hit": False})], "contradicts its value at risk"),
    ],
)
def test_hashes_that_fit_do_not_hide_rows_that_do_not(zenith, store, chain, problem):
    write_together(store, *chain)

    status, text, errors = zenith("ledger", "verify", "ALL-TICKERS")
    assert (status, text) == (1, "")
    assert problem in errors


def test_without_ledgers_and_for_an_unknown_ticker_it_is_said(zenith, store):
    assert zenith("ledger", "verify")[::2] == (
        2,
        "zenith: there are no ledgers yet: `zenith run` makes the first forecasts\n",
    )
    assert zenith("ledger", "verify", "MSFT")[0] == 2
